"""What can go wrong on the command line, with exit codes; and what Postgres said, in our words."""

from __future__ import annotations

import re

import asyncpg

from bellhand.db import describe, unfit_dsn
from bellhand.errors import Problem

OK, FAILED, USAGE, NOT_FOUND = 0, 1, 2, 3
JOB_FAILED, TIMED_OUT = 5, 6
UNCONFIRMED = 7
UNREACHABLE, BAD_CONFIG = 75, 78
INTERRUPTED = 130


class CommandProblem(Problem):
    """A Problem of one command; `code` is the SQLSTATE where our SQL raised it, `topic` what `bellhand help errors/` knows it by."""

    code = ""
    topic = ""


class Refused(CommandProblem):
    """The request was understood and cannot be done as things stand."""

    exit_code = FAILED
    topic = "refused"


class Usage(CommandProblem):
    """The command was given wrongly, or what it was given does not fit."""

    exit_code = USAGE
    topic = "usage"


class Unconfirmed(CommandProblem):
    """A bulk action whose count of jobs is not the one that was expected."""

    exit_code = UNCONFIRMED
    topic = "unconfirmed"


class NotFound(CommandProblem):
    """There is no such job, kind, lane or schedule."""

    exit_code = NOT_FOUND
    topic = "not-found"


class Unreachable(CommandProblem):
    """The database is away or cannot serve now; the same command may work later."""

    exit_code = UNREACHABLE
    topic = "database-away"


class BadConfig(CommandProblem):
    """The configuration, or the database it points at, is not fit to work with."""

    topic = "configuration"


_OURS: dict[str, type[CommandProblem]] = {
    "BH001": Usage, "BH002": Usage, "BH003": Usage, "BH004": Usage, "BH005": Usage, "BH006": Usage,
    "BH007": Refused, "BH008": NotFound, "BH011": Refused, "BH013": Unconfirmed,
}  # fmt: skip
MOVED_ON = (
    "BH013"  # the count of a bulk action is not the one that was expected: its jobs go on meanwhile
)
# Somebody must change something before the same statement can work.
_MISFITS: dict[str, tuple[str, str]] = {
    "28": ("the database refused us", "check the role and password in dsn, and pg_hba.conf"),
    "3D000": ("that database does not exist", "create it (createdb), or correct dsn"),
    "3F000": ("the schema is not there", "run: bellhand migrate"),
    "42P01": ("the schema is not there, or older than this program", "run: bellhand migrate"),
    "42883": ("the schema is not there, or older than this program", "run: bellhand migrate"),
    "42703": ("the schema is older than this program", "run: bellhand migrate"),
    "42501": (
        "the role may not do that",
        "connect as a role with bellhand_worker, or as the schema's owner: grant bellhand_worker to {role}",
    ),
    "25006": ("the database is read-only", "point dsn at the primary"),
}
# What our SQL tells to look at or to do, for a hand that is at a shell already.
_COMMANDS = (
    (r"\bselect \* from bellhand\.all_jobs where id = (\d+)", r"bellhand show \1"),
    (r"\bselect id, kind, state from bellhand\.all_jobs [^;.]*", "bellhand list"),
    (r"\bselect \* from bellhand\.channel_status", "bellhand channels"),
    (r"\bselect id, at, action, jobs from bellhand\.operations [^;.]*", "bellhand undo"),
    (
        r"\bselect fingerprint, kind, message from bellhand\.failure_groups [^;.]*",
        "bellhand failures",
    ),
    (r"\bselect schema from bellhand\.kinds [^;]*; or: ", ""),
    ("run_now", "run-now"),
)
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
# 08 connection, 53 out of resources, 57 shut down or timed out, 40 lost a race, 55P03 lock not had
_AWAY_STATES = ("08", "53", "57", "40", "55P03")


def translated(error: Exception, role: str = "that role") -> Problem | None:
    """What a database error means to a person, `role` being who we are there; None if it is none of a known sort."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, asyncpg.ClientConfigurationError):
        return unreadable_dsn(error)
    state = getattr(error, "sqlstate", None) or ""
    if state in _OURS:
        return _ours(state, error)
    if state.startswith("28") and (fix := _peer(error)):
        return BadConfig("the database refused us", why=describe(error), fix=fix)
    for prefix, (what, fix) in _MISFITS.items():
        if state.startswith(prefix):
            return BadConfig(what, why=describe(error), fix=fix.format(role=role))
    if isinstance(error, asyncpg.QueryCanceledError):
        return Unreachable(
            "the database took too long",
            why=describe(error),
            fix="narrow the question (--kind, --since, --limit), or try again later",
        )
    if isinstance(error, _AWAY) or state.startswith(_AWAY_STATES):
        return Unreachable(
            "the database cannot be reached",
            why=describe(error),
            fix="see that it runs and that dsn is right: bellhand check; then try again",
        )
    if isinstance(error, asyncpg.PostgresError):
        # 22 data, 23 constraints: what we were given does not fit.
        kind = Usage if state.startswith(("22", "23")) else Refused
        return kind(
            "the database refused the statement",
            why=f"{describe(error)} ({state})",
            fix=getattr(error, "hint", None) or "see why",
        )
    return None


def _peer(error: Exception) -> str:
    """What helps where Postgres asks the system who we are, as Debian's does over a socket; empty elsewhere."""
    if "Peer authentication" in str(error) or 'role "root"' in str(error):
        return "over a socket Postgres takes the role named as the system's user; give the role a password, and dsn the host 127.0.0.1"
    return ""


def unreadable_dsn(error: Exception) -> Problem:
    """The DSN is not one."""
    return BadConfig(
        "the DSN cannot be read",
        why=unfit_dsn(error),
        fix="write it as postgresql://user@host:5432/database",
    )


def _ours(state: str, error: Exception) -> Problem:
    """One of the errors that our SQL raises: its words, its detail, its hint, with a command where the hint has a statement."""
    found = _OURS[state](
        _as_command(str(getattr(error, "message", None) or error)),
        why=_as_command(getattr(error, "detail", None) or ""),
        fix=_as_command(getattr(error, "hint", None) or ""),
    )
    if state == MOVED_ON:
        found.fix += (
            " If it keeps changing, hold them first: bellhand pause --lane NAME, or --kind."
        )
    found.code = found.topic = state
    return found


def _as_command(text: str) -> str:
    for statement, command in _COMMANDS:
        text = re.sub(statement, command, text)
    return text
