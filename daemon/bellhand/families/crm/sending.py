"""One mail to one customer: may it go out, the ledger, the server, and what its answer means.

The ledger has the mail as `sending` before the server hears of it, so no mail goes out twice by itself; what died in between is
`unsure` and left to people.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import asyncpg

from bellhand.clients.mail import MailError, Message
from bellhand.job import Job
from bellhand.outcomes import Cancelled, Failed, Snooze
from bellhand.sql import query

from .texts import Footer, Link, TextError, fill, write

STATEMENT_SECONDS = 10.0
LONG_SECONDS = 1200.0  # one statement over everybody
# Answers to an address that say nothing of it: a full mailbox, a message too long, the server's rules, its or our trouble (RFC 3463).
NOT_THE_ADDRESS = re.compile(r"^5\d\d[ -]5\.(2\.[23]|[3-7]\.\d)")


@dataclass(frozen=True, slots=True)
class Draft:
    """A mail before it is known whether it may go out.

    `key`: of mails of one purpose to one customer with the same, one goes out. `promotional`: needs consent and a way to
    unsubscribe. `patient`: waits for quiet hours to end and within the limit of an hour.
    """

    purpose: str
    customer_id: str
    key: str
    subject: str
    body: str
    about: str = ""
    template: str = "letter"
    link: Link | None = None
    names: tuple[tuple[str, dict[str, str]], ...] = ()
    promotional: bool = True
    patient: bool = True


async def row(
    job: Job,
    statement: str,
    *args: Any,
    conn: asyncpg.Connection | None = None,
    seconds: float = STATEMENT_SECONDS,
) -> Any:
    """The only row of a statement of the family, None for none; over `conn`, where its transaction is to hold it too."""
    if conn is not None:
        return await conn.fetchrow(_query(statement), *args, timeout=seconds)
    async with job.connection() as own:
        return await own.fetchrow(_query(statement), *args, timeout=seconds)


async def over_all(job: Job, statement: str, *args: Any) -> list[Any]:
    """The rows of a statement over all customers, which may take LONG_SECONDS."""
    async with job.connection() as conn, conn.transaction():
        await conn.execute(_query("be_patient"), f"{LONG_SECONDS:.0f}s", timeout=STATEMENT_SECONDS)
        found: list[Any] = await conn.fetch(_query(statement), *args, timeout=LONG_SECONDS + 5)
    return found


async def send(job: Job, draft: Draft) -> dict[str, Any]:
    """Send it, unless it was sent; raises Failed, Cancelled, Retry or Snooze where it did not go out."""
    customer = await row(job, "customer", draft.customer_id)
    if customer is None:
        raise Failed(f"there is no customer {draft.customer_id} in bellhand_crm.customers")
    unsubscribe_url = customer["unsubscribe_url"] if draft.promotional else None
    values = {"customer": {"id": customer["id"], "name": customer["name"]}, **dict(draft.names)}
    try:
        subject, body = fill(draft.subject, values), fill(draft.body, values)
    except TextError as error:
        raise Failed(f"the text of this {draft.purpose} cannot be filled in: {error}") from error
    text = write(
        draft.template, subject, {"customer": values["customer"], "body": body, "about": draft.about},
        draft.link, Footer(customer["postal_address"], unsubscribe_url),
    )  # fmt: skip
    asked = (
        draft.customer_id, draft.purpose, draft.key, draft.promotional, draft.patient, subject[:200],
        job.id, job.step_key(f"attempt {job.epoch}"),
    )  # fmt: skip
    begun = await job.patiently(lambda: row(job, "begin_message", *asked))
    if begun["verdict"] != "go":
        return _not_now(begun)
    headers = {"Auto-Submitted": "auto-generated"}
    if unsubscribe_url:
        headers["List-Unsubscribe"] = f"<{unsubscribe_url}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message = Message(
        (begun["address"],), subject, text.text, begun["message_key"], html=text.html,
        at=begun["at"], headers=headers,
    )  # fmt: skip
    try:
        sent = await job.mail.send(message)
    except MailError as error:
        await _settle(job, begun["message_id"], *_fared(error))
        raise _outcome(error, begun) from error
    await _settle(job, begun["message_id"], "sent", sent.answer, False)
    return {"sent": True, "message_id": begun["message_id"], "message": sent.message_id}


def _not_now(begun: Any) -> dict[str, Any]:
    match begun["verdict"]:
        case "sent":
            return {"sent": False, "message_id": begun["message_id"], "why": begun["reason"]}
        case "wait":
            raise Snooze(begun["seconds"], begun["reason"])
        case "no":
            raise Cancelled(begun["reason"])
        case _:
            raise Failed(begun["reason"])


def _fared(error: MailError) -> tuple[str, str, bool]:
    """The state of a mail that was not taken, what was said, and whether its address gets no more."""
    if error.unsure:
        return "unsure", str(error), False
    if error.ours or error.retryable:
        return "deferred", str(error), False
    said = next(iter(error.refused.values()), "")
    no_address = error.code == "recipients_refused" and not NOT_THE_ADDRESS.match(said)
    return "bounced", str(error), no_address


def _outcome(error: MailError, begun: Any) -> Exception:
    if error.unsure:
        return Failed(
            f"{error}; it may have been sent, with Message-ID <{begun['message_key']}@...>: ask the mail server's log; "
            f"if it was not, select bellhand_crm.send_again({begun['message_id']}) and retry the job"
        )
    return error.outcome()


async def _settle(job: Job, message_id: int, state: str, said: str, suppress: bool) -> None:
    """Write down what the server said, however long the database takes: only this attempt knows it."""

    async def write() -> None:
        async with job.connection() as conn:
            await conn.execute(
                _query("settle_message"), message_id, state, said, suppress,
                timeout=STATEMENT_SECONDS,
            )  # fmt: skip

    await job.patiently(write)


def _query(name: str) -> str:
    return query(f"families/crm/{name}")
