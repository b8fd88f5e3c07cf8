"""`bellhand exec`: a handler run once, without a queue, with a payload that was typed or that of a job there was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from bellhand import __version__
from bellhand.cli.arguments import JOB
from bellhand.cli.completing import jobs, kinds
from bellhand.cli.context import Cli, Given
from bellhand.cli.errors import JOB_FAILED, NotFound, Refused, Usage
from bellhand.cli.naming import find, name_of
from bellhand.cli.output import painted_state, plain, say, say_json, tell
from bellhand.cli.values import payload_of
from bellhand.logs import HIDDEN

if TYPE_CHECKING:
    from bellhand.kinds import Kind


@dataclass(frozen=True)
class Again:
    """A job there was, to be run by its handler here."""

    kind: str
    payload: Any
    origin: str  # `job 7`, or the file


def exec_(
    kind: Annotated[str | None, Parameter(help="The kind; that of the job with --job or --job-file.", completer=kinds)] = None,
    /,
    *payload: Annotated[str, Parameter(help="As for enqueue: key=value, JSON, or - for stdin.")],
    module: Annotated[
        list[str] | None, Parameter(help="Where the handler is, beside the configured modules; may be repeated.")
    ] = None,
    job: Annotated[str | None, Parameter(help=f"{JOB}: with the kind and payload of this one, which stays as it is.", completer=jobs)] = None,
    job_file: Annotated[Path | None, Parameter(help="The same with job.json as `bellhand repro` writes it.")] = None,
    really: Annotated[bool, Parameter(negative=(), help="Do outside what that job did there: messages, charges, requests.")] = False,
    cli: Given,
) -> int:  # fmt: skip
    """Run a handler once, here, without a queue: on a database of its own that is gone afterwards.

    The daemon's own code runs it, with the configured services; what it does outside it really does. A job there was is therefore only run
    again with --really. Exits 5 if it did not complete.
    """
    again = _again(cli, job, job_file)
    if (kind is None) == (again is None) or (again and payload):
        raise Usage(
            "give a kind and its payload, or a job",
            fix="bellhand exec shop.count items=a,b; bellhand exec --job 7; bellhand exec --job-file job.json",
        )
    if again is not None and not really:
        raise _unmeant(cli, again)
    report = _run(cli, again.kind if again else str(kind), again or payload, tuple(module or ()))
    said = {
        "kind": report.kind, "state": report.state, "partial": report.partial, "result": report.result, "error": report.error,
        "counters": report.counters,
        "steps": [{"name": step.name, "state": step.state, "attempts": step.attempts, "error": step.error} for step in report.steps],
    }  # fmt: skip
    if cli.json:
        say_json(said)
    else:
        for step in report.steps:
            say(
                f"  {'✓' if step.state == 'completed' else '!'} {plain(step.name)}"
                + (f"  {plain(step.error.splitlines()[-1])}" if step.error else "")
            )
        counted = "".join(f"  {value:g} {plain(name)}" for name, value in report.counters.items())
        say(f"{plain(report.kind)}  {painted_state('partial' if report.partial else report.state)}{counted}")  # fmt: skip
        for line in (report.error or "").splitlines()[-5:]:
            say(f"  {plain(line)}")
        if report.result is not None:
            say(f"  {plain(json.dumps(report.result, ensure_ascii=False))}")
    return 0 if report.state == "completed" else JOB_FAILED


def _again(cli: Cli, job: str | None, file: Path | None) -> Again | None:
    if job is not None and file is not None:
        raise Usage("give --job or --job-file, not both", fix=f"bellhand exec --job {job}")
    if job is not None:
        row = asyncio.run(_found(cli, job))
        return Again(row["kind"], json.loads(row["payload"]), f"job {row['id']}")
    return _read(file) if file is not None else None


async def _found(cli: Cli, job: str) -> Any:
    async with cli.database() as database:
        return await find(database, name_of(job))


def _read(file: Path) -> Again:
    """What `bellhand repro` wrote; Usage if it is not that, or what was secret in it is still missing."""
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        kind, payload, redacted, version = (
            str(said["kind"]),
            said["payload"],
            list(said["redacted"]),
            said["versions"]["bellhand"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Usage(f"{file} cannot be read", why=str(error), fix="it is the job.json of a folder that bellhand repro writes") from error  # fmt: skip
    missing = [path for path in redacted if HIDDEN in json.dumps(_at(payload, path))]
    if missing:
        raise Usage(
            f"{', '.join(missing)} was redacted",
            why="secrets of jobs are not written into files",
            fix=f"write it, or one for tests, into {file}",
        )
    if version != __version__:
        tell(f"warning: the job ran with bellhand {plain(version)}, this is {__version__}")
    return Again(kind, payload, str(file))


def _at(payload: Any, pointer: str) -> Any:
    """What lies at `/items/0/token` (RFC 6901); None where there is nothing any more."""
    for word in (word.replace("~1", "/").replace("~0", "~") for word in pointer.split("/")[1:]):
        if isinstance(payload, list) and word.isdigit():
            payload = payload[int(word)] if int(word) < len(payload) else None
        else:
            payload = payload.get(word) if isinstance(payload, dict) else None
    return payload


def _unmeant(cli: Cli, again: Again) -> Refused:
    """Why a job there was is not simply run again: what could happen outside."""
    known = cli.configured
    sections = sorted(_given(known.services, "allow_networks", "limits"))
    if known.mail.model_fields_set:
        sections.append("mail")
    reach = (
        f"configured are {', '.join(sections)}" if sections else "no outside service is configured"
    )
    return Refused(
        f"{again.kind} of {again.origin} would be run once more, and nothing was run",
        why=f"what its handler does outside it would do again ({reach}), and its idempotency keys would be new ones, so that nobody there takes it for the same",
        fix="with settings for tests (--config), or if that is meant: add --really",
    )  # fmt: skip


def _run(cli: Cli, kind: str, given: Again | tuple[str, ...], modules: tuple[str, ...]) -> Any:
    # Only here: the whole engine, and a database server.
    from bellhand.kinds import find_kinds
    from bellhand.testing.desk import thrown_away

    settings = cli.configured
    known = find_kinds([*settings.modules, *modules])
    found = kind_in(known, kind, (*settings.modules, *modules), "exec")
    payload = given.payload if isinstance(given, Again) else payload_of(given, found.published().get("schema"))  # fmt: skip
    with thrown_away() as desk:
        desk.use(*settings.modules, *modules)
        desk.use_services(**_given(settings.services, "allow_networks"))
        desk.use_mail(**_given(settings.mail))
        return desk.run(kind, payload)


def kind_in(known: Mapping[str, Kind], name: str, modules: Sequence[str], command: str) -> Kind:
    """The kind of that name among those that `modules` have; NotFound says the nearest, or how `command` is told of its module."""
    if name in known:
        return known[name]
    near = get_close_matches(name, known, 1)
    raise NotFound(
        f"no module has a kind {name!r}",
        why=f"the modules are {', '.join(modules)}",
        fix=f"did you mean {near[0]}?" if near else f"name its module: bellhand {command} {name} --module MODULE",
    )  # fmt: skip


def _given(section: Any, *but: str) -> dict[str, Any]:
    """What the configuration says of a section."""
    return {name: value for name, value in section if name in section.model_fields_set - {*but}}
