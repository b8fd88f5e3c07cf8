"""`bellhand help`: what no single command's --help explains, every error by its code, every guide and runbook; works without a database or a network."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Annotated

from cyclopts import Parameter

from bellhand.cli.context import Given
from bellhand.cli.errors import NotFound
from bellhand.cli.output import say, say_json
from bellhand.guides import guide, sections
from bellhand.problem_sorts import OF_SQLSTATE, SORTS
from bellhand.runbooks import runbook, runbooks

EXIT_CODES = {
    0: "What was asked was done.",
    1: "It failed, or doctor or health found something wrong.",
    2: "The command was given wrongly, or what it was given does not fit.",
    3: "There is no such job, kind, lane, schedule or token.",
    4: "Kept for `not allowed`: who connects to Postgres and may not do a thing gets 78, since the role is configured.",
    5: "watch, wait: a job is over and did not complete.",
    6: "watch, wait: the time that --timeout gives came first. The jobs go on.",
    7: "bulk, retry --failure, purge, cleanup: nothing was done, since the count of jobs or --yes was not given.",
    75: "The database is away, busy or too slow: the same command may work later (EX_TEMPFAIL).",
    78: "The configuration, or the database it points at, is not fit to work with (EX_CONFIG).",
    130: "Ctrl-C.",
}
TOPICS = {
    "exit-codes": "Scripts may rely on these; the texts beside them may change.\n\n"
    + "\n".join(f"  {code:>3}  {text}" for code, text in EXIT_CODES.items()),
    "environment": """\
Every setting has a variable: BELLHAND_ and its name in capitals, two underscores between a section and a key, as in
BELLHAND_WORKER__CONCURRENCY=8. `bellhand env` lists them all with the values in force, `bellhand check --print-config` says
where each value is from. --dsn beats the environment, the environment beats secrets in files, those beat the configuration file.

  BELLHAND_DSN             the database: postgresql://user@host:5432/database
  BELLHAND_CONFIG          the configuration file, else config.toml where the command runs
  CREDENTIALS_DIRECTORY    secrets, a file each, as systemd hands them over; else credentials/ beside the configuration
  SERPAPI_KEY, OPENAI_API_KEY, CRON_SECRET    read where the settings of ours are not given
  BELLHAND_DEV_DIR         where `bellhand dev` keeps its database; else below XDG_STATE_HOME or ~/.local/state
  BELLHAND_PG_BIN          where `bellhand dev` finds Postgres
  PGPASSFILE, PGSSLMODE, PGHOST and the like    as for any program that speaks to Postgres, for what the DSN leaves open
  NO_COLOR, CLICOLOR_FORCE, TERM=dumb    without colours, with them even into a pipe, without
  BELLHAND_PAGER, PAGER    what shows long output on a terminal, else less; empty or cat: nothing does, as with --no-pager
  COLUMNS                  how wide tables are; without it a pipe gets them whole""",
    "formatting": """\
Data goes to stdout, messages to stderr; -q leaves the messages out and most lists with one name a line. Tables are for people and
may change; these are for programs, and are only ever added to (`bellhand schema COMMAND` has the JSON Schema):

  --json                   one JSON document
  --json id,kind,progress.percent    only these fields, by dots into what is nested
  --ndjson                 one JSON object a line; --ndjson --json id,state with chosen fields
  --format '{id}\\t{state}'  one line each; {priority:>3} pads, {owner} of nobody is empty, {{ is a brace
  --fields                 which fields there are; nothing else is done

  bellhand list --state failed --since 1d --format '{id}' | bellhand retry -
  bellhand status --json lanes

Times are RFC 3339 in UTC, durations are seconds. Without a terminal there are no colours, no pager, no redrawing and no questions.""",
    "names": """\
A job is named by

  its id                   4711, or #4711
  its key                  a UUID, which the outside world has, and which no other job ever gets
  how its key begins       at least 4 of its digits, if no other key begins so
  @last                    what this user enqueued last on this machine, by `bellhand enqueue`
  -                        the first word of every line of stdin, so that lists can be piped

Kinds, lanes, schedules, channels and tokens are named whole, groups of failures by the first letters of their fingerprint.
`source <(bellhand completion bash)` lets Tab complete all of these (zsh and fish too).""",
}
LISTS = ("errors", "guides", "runbooks")
ERRORS = {
    "usage": ("The command was given wrongly", "What was typed names something that is not there, or cannot be read. The message says which word.", "bellhand COMMAND --help; bellhand help names; bellhand help formatting"),
    "refused": ("It cannot be done as things stand", "The request was understood. The message says what stands in the way, and fix what would change that.", "do what fix says, then give the same command again"),
    "not-found": ("There is no such thing", "Nothing has that name: it was never committed, or retention has removed it (retention.history_days).", "bellhand list; bellhand kinds; bellhand lanes; bellhand schedules"),
    "configuration": ("The configuration is not fit", "A setting is wrong, the schema is not there or older than the program, or the role lacks a right.", "bellhand check says every place, with line and key; bellhand migrate brings the schema up to date"),
    "database-away": ("The database cannot be reached", "Postgres is away, busy, or did not answer in time. Daemons keep trying; nothing that was acknowledged is lost.", "bellhand check; then the same command again"),
}  # fmt: skip


def help_(
    topic: Annotated[
        str | None,
        Parameter(
            help=f"One of {', '.join(TOPICS)}, errors, errors/BH007, guides, guides/how-to/restore, runbooks, runbooks/BellhandDown."
        ),
    ] = None,
    /,
    *,
    cli: Given,
) -> int:
    """Explain exit codes, environment, formatting, how jobs are named, and errors by their code; show guides and runbooks.

    All of it is in the program: nothing is fetched, and no database is asked.
    """
    found = dict(_all())
    if topic is None or topic in LISTS:
        listed = {name: text for name, text in found.items() if name.partition("/")[0] == topic or (topic is None and "/" not in name)}  # fmt: skip
        if cli.json:
            say_json([{"topic": name, "text": text} for name, text in listed.items()])
            return 0
        for name, text in listed.items():
            say(f"  bellhand help {name:<32} {text.splitlines()[0]}".rstrip() if topic else f"  bellhand help {name}")  # fmt: skip
        if topic is None:
            for name in LISTS:
                say(f"  bellhand help {name}")
            say("  bellhand COMMAND --help")
        return 0
    name = _named(topic, found)
    if cli.json:
        say_json({"topic": name, "text": found[name]})
    else:
        say(found[name])
    return 0


def _named(topic: str, found: dict[str, str]) -> str:
    named = [topic, topic.lower(), f"guides/{topic}", f"guides/how-to/{topic}", f"runbooks/{topic}"]
    for name in (*named, *(f"errors/{one}" for one in (topic, topic.upper(), topic.lower()))):
        if name in found:
            return name
    near = get_close_matches(topic, [*found, *(name.partition("/")[2] for name in found)], 1)
    raise NotFound(
        f"there is no topic {topic!r}",
        why=f"topics are {', '.join((*TOPICS, *LISTS))}",
        fix=f"did you mean {near[0]}?" if near else f"a command explains itself: bellhand {topic} --help",
    )  # fmt: skip


def _all() -> Iterator[tuple[str, str]]:
    yield from TOPICS.items()
    for name, told in ERRORS.items():
        yield f"errors/{name}", _told(*told)
    for slug, sort in SORTS.items():
        if slug not in ERRORS:
            yield f"errors/{slug}", _told(sort.title, sort.text, sort.hint)
    for state, slug in OF_SQLSTATE.items():
        sort = SORTS[slug]
        yield f"errors/{state}", _told(sort.title, f"{sort.text}\nSQLSTATE {state}; over HTTP {sort.status} /problems/{slug}.", sort.hint)  # fmt: skip
    for names in sections().values():
        for name in names:
            # Runbooks follow; commands, settings and kinds explain themselves.
            if not name.startswith(("runbooks/", "reference/")):
                yield f"guides/{name}", (guide(name) or "").removeprefix("# ").rstrip("\n")
    for alert in runbooks():
        yield f"runbooks/{alert}", (runbook(alert) or "").removeprefix("# ").rstrip("\n")


def _told(title: str, text: str, hint: str) -> str:
    return f"{title}.\n\n{text}" + (f"\n\nWhat to do: {hint}" if hint else "")
