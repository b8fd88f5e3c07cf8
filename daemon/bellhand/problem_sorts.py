"""Every sort of problem that this HTTP port can answer with: its status, its title, what it means and what to do.

/problems/{slug} shows these texts, so that a link in an answer works without the internet.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sort:
    """One sort of problem; `text` explains it, `hint` is what an answer says unless it knows better."""

    status: int
    title: str
    text: str
    hint: str = ""


SORTS: dict[str, Sort] = {
    "bad-request": Sort(
        400, "The request cannot be read",
        "What arrived is not a request that HTTP knows: a broken header, a broken encoding, a form that cannot be taken apart.",
        "see what the client sends",
    ),
    "line-too-long": Sort(
        414, "The address is too long",
        "The first line of a request, with its path and its parameters, has 8,000 bytes at most.",
        "ask for less in one address; what is long goes into a body",
    ),
    "headers-too-large": Sort(
        431, "The headers are too large",
        "A request has 64 headers at most, each with 8,192 bytes at most.",
        "send fewer and shorter headers; a cookie of another program on this host may be too long",
    ),
    "request-timeout": Sort(
        408, "The request did not arrive in time",
        "The headers of a connection's first request are to be there within header_seconds under [status], the body before the time for "
        "an answer is over.",
        "send it again at once; over a slow line send less at a time",
    ),
    "expectation-failed": Sort(
        417, "This expectation is not known",
        "The header Expect knows one word: 100-continue.",
        "leave the header Expect out",
    ),
    "bad-json": Sort(
        400, "The body is not JSON",
        "The body could not be read as JSON. NaN, Infinity, numbers beyond a double and lone surrogates are not JSON either. "
        "Nor is an object in which a name comes twice: which of the two counts, no two readers agree on.",
        "send one JSON value in UTF-8, each name once in its object",
    ),
    "bad-job-id": Sort(
        400, "This is no job's name",
        "A job is named by its id (a number) or by its key (a UUID), both of which the answer to its creation holds.",
        "use the id or the key that the insert returned",
    ),
    "bad-cursor": Sort(
        400, "This cursor is none of ours",
        "A cursor is taken from next_cursor of the page before, unchanged, with the same filters as that page.",
        "begin again without a cursor",
    ),
    "bad-idempotency-key": Sort(
        400, "The Idempotency-Key cannot be used",
        "The header holds 1 to 255 visible ASCII characters, in double quotes (as draft-ietf-httpapi-idempotency-key-header-07 has it) or bare.",
        'send one such as Idempotency-Key: "8e03978e-40d5-43dd-bc93-6894a57f9324"',
    ),
    "token-in-url": Sort(
        400, "A token does not belong in an address",
        "Addresses end up in logs, histories and Referer headers, so a token in one is a token told. This one was not looked at.",
        "send the header Authorization: Bearer <token>; a browser logs in at /login; revoke the token that was in the address",
    ),
    "unauthorized": Sort(
        401, "This needs a token",
        "The request brought no token, or one that is unknown, has expired or was revoked.",
        "send the header Authorization: Bearer <token>; make one with: bellhand token create NAME",
    ),
    "forbidden": Sort(
        403, "The token does not allow this",
        "Every route needs a scope: read, enqueue, operate or admin. The token is good, but has not this one. "
        "operate includes read and enqueue, admin includes all; enqueue alone reads only what it enqueued.",
        "use a token with that scope: bellhand token create NAME --scope SCOPE",
    ),
    "reveal-off": Sort(
        403, "What is hidden stays hidden here",
        "The configuration says that nobody is shown hidden values through this port, whatever the reason.",
        "set reveal = true under [status] and restart the daemon, or read the job in the database",
    ),
    "foreign-origin": Sort(
        403, "Another site's page may not do this",
        "A browser sent this on behalf of a page of another origin. Requests that change something are taken from our own "
        "pages, or with a token in the Authorization header.",
        "send the token in the Authorization header, or open the page from this port",
    ),
    "not-found": Sort(
        404, "There is no such thing",
        "Nothing has that name: it was never there, or retention has removed it.",
        "see /docs for the routes, /v1/jobs for the jobs",
    ),
    "method-not-allowed": Sort(
        405, "This cannot be done here",
        "The address exists and does not know this method; the header Allow lists those it knows.",
        "see /docs",
    ),
    "wrong-state": Sort(
        409, "The state does not allow this",
        "What was asked cannot be done with something that stands where this one does; for a job allowed_actions lists what can.",
        "look at it first",
    ),
    "unconfirmed": Sort(
        409, "Not as many jobs match as were expected",
        "A bulk action says how many jobs it expects to reach, as counted in a dry run, and nothing happens unless so many match: "
        "a filter that reaches more than was meant is found out before it does.",
        "count again with a dry run, look at what it says, then expect that many",
    ),
    "in-configuration": Sort(
        409, "The configuration decides this",
        "A value that stands in the daemons' configuration would come back at their next start, so it is changed there.",
        "change the configuration and reload the daemons (systemctl reload bellhand)",
    ),
    "idempotency-in-progress": Sort(
        409, "The first request with this Idempotency-Key is still under way",
        "Two requests with one key ran at the same time. The second is refused so that the work happens once.",
        "send it again in a second: it will get the answer of the first",
    ),
    "no-result": Sort(
        409, "There is no result",
        "A result is there once a job has completed; this one is not over, or did not complete.",
        "ask for the job itself: its state and its error say how it stands",
    ),
    "precondition-failed": Sort(
        412, "It has changed meanwhile",
        "The ETag in If-Match is not the one that the job has now: somebody else changed it, or it went on.",
        "get it again, look, and send its new ETag",
    ),
    "body-too-large": Sort(
        413, "The body is too large",
        "A request without a body of its own takes 1 kB, others up to body_bytes_max under [status].",
        "send less at once",
    ),
    "payload-too-large": Sort(
        413, "The payload is too large",
        "A job carries what to do, not the data itself; payload_bytes_max under [queue] is the limit.",
        "store the data in a table or a bucket and put its id into the payload",
    ),
    "unsupported-media-type": Sort(
        415, "This sort of body is not taken here",
        "Bodies are JSON; a batch of jobs may be one JSON object a line.",
        "send the header Content-Type: application/json",
    ),
    "misdirected": Sort(
        421, "This host is not served here",
        "The Host header names neither this machine nor one of hosts under [status]. A page in somebody's browser can reach a "
        "loopback port under a name of its own making, so such requests are refused.",
        "ask for localhost or 127.0.0.1, add the name to hosts under [status], or send the token",
    ),
    "invalid-request": Sort(
        422, "The request does not fit",
        "The request is well formed, but something in it is missing, unknown, of another type or out of bounds; errors lists each "
        "with a JSON pointer into the body, or with the name of the parameter.",
        "correct what errors names; /docs says what the route takes",
    ),
    "invalid-value": Sort(
        422, "A value is not accepted",
        "The database refused a value: out of range, too long, or with a character that no text can hold (NUL).",
        "correct the value",
    ),
    "invalid-payload": Sort(
        422, "The payload does not fit its kind",
        "The kind publishes a JSON Schema, and the payload breaks it; /v1/kinds/{kind}/schema shows the whole.",
        "see what the kind takes: /v1/kinds/{kind}/schema",
    ),
    "unknown-kind": Sort(
        422, "There is no such kind",
        "No daemon has published a handler of this name to this database; /v1/kinds lists those there are.",
        "correct the kind, or start the daemon whose modules have it",
    ),
    "unknown-parent": Sort(
        422, "A job to wait for does not exist",
        "depends_on names a job that was never committed, or that retention has removed.",
        "create the parent first and use the id it got",
    ),
    "idempotency-mismatch": Sort(
        422, "This Idempotency-Key was used for something else",
        "A key belongs to one request for 24 hours; this one came with another body or another route.",
        "use a new key for a new request",
    ),
    "cursor-too-old": Sort(
        410, "What came after this cursor is not kept any more",
        "The log is kept for events_days under [retention], and a cursor belongs to one server: after a restore from a dump it means nothing.",
        "look at the jobs themselves, and begin again without a cursor",
    ),
    "purged": Sort(
        410, "This job was purged",
        "Somebody deleted it, with all that it said and did; what is kept is which kind it was, how it ended, who purged it and when. "
        "That is forgotten too after events_days under [retention].",
        "look into the audit log: GET /v1/audit",
    ),
    "expired": Sort(
        410, "This link has expired",
        "A ticket shows one job for a while; its time is over. The job itself is not affected.",
        "ask whoever made it for a new one: POST /v1/tickets",
    ),
    "too-many-connections": Sort(
        503, "Too many are connected",
        "A daemon takes so many connections at once (connections_max under [status]): it needs its file handles for its work.",
        "use connections again instead of opening new ones; come back in a second",
    ),
    "too-many-streams": Sort(
        503, "Too many are watching",
        "A daemon serves so many streams of events at once, and no more.",
        "come back later, or poll the job itself",
    ),
    "too-many-exports": Sort(
        503, "Too many files are being written",
        "A daemon writes so many exports at once, and no more: each holds a connection and a snapshot of the database.",
        "come back when one of them has ended",
    ),
    "too-many-requests": Sort(
        429, "Too many requests",
        "Each caller has a budget (requests_per_second, requests_burst under [status]); the RateLimit headers show what is left of it. "
        "Wrong tokens have a smaller one.",
        "wait as long as Retry-After says",
    ),
    "internal": Sort(
        500, "Something is wrong here",
        "A fault of Bellhand; the daemon's log has the traceback under request_failed.",
        "look into the daemon's log, and tell us",
    ),
    "database-away": Sort(
        503, "The database does not answer",
        "Postgres is away, busy, or did not answer in time. Nothing is lost; the daemon keeps trying.",
        "the daemon keeps trying; so may you",
    ),
    "schema-unfit": Sort(
        503, "The database is not as this daemon needs it",
        "The schema is missing or older than the program, the role lacks a right, or the server is read-only.",
        "run: bellhand check",
    ),
}  # fmt: skip
# The errors that our SQL raises, by SQLSTATE; they bring their own words.
OF_SQLSTATE = {
    "BH001": "unknown-kind", "BH002": "invalid-payload", "BH003": "payload-too-large", "BH004": "invalid-value",
    "BH005": "invalid-value", "BH006": "unknown-parent", "BH007": "wrong-state", "BH008": "not-found",
    "BH009": "idempotency-in-progress", "BH010": "idempotency-mismatch", "BH011": "in-configuration",
    "BH012": "precondition-failed", "BH013": "unconfirmed",
}  # fmt: skip
