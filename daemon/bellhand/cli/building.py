"""Writing handlers: a configuration to begin with, a handler to begin with, and running one without a queue."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from bellhand.cli.arguments import Kind
from bellhand.cli.context import Cli, Given
from bellhand.cli.errors import JOB_FAILED, NotFound, Refused, Usage
from bellhand.cli.installing import starter
from bellhand.cli.output import painted_state, plain, say, say_json, tell
from bellhand.cli.values import payload_of

NAME = re.compile(r"([a-z][a-z0-9_]*)(?:\.([a-z][a-z0-9_]*))?")
HANDLER = '''"""Jobs of {module}."""

from typing import Any

from pydantic import BaseModel, Field

from bellhand import Job, job_kind


class {model}(BaseModel):
    """What a job takes; whatever does not fit is refused when it is inserted, in any language."""

    items: list[str] = Field(default=["one", "two", "three"], max_length=1000)


@job_kind("{kind}", lane="{module}", attempts_max=3, step_timeout_seconds=60)
async def {function}(args: {model}, job: Job) -> dict[str, Any]:
    """Do one step for each item; a step that is done is not done again, whatever dies meanwhile."""

    async def one(item: str) -> str:
        job.count("items")
        return item.upper()

    done = await job.each(args.items, one, name=lambda item: f"item {{item}}")
    return {{"done": done}}
'''
TEST = '''"""What {kind} does, and that it loses and repeats nothing; run with pytest."""

import {module}


def test_it_does_every_item(bellhand):
    bellhand.use({module})
    report = bellhand.run("{kind}", items=["a", "b"])
    assert report.state == "completed", report.error
    assert [step.name for step in report.steps] == ["item a", "item b"]
    assert report.result == {{"done": ["A", "B"]}}


def test_it_survives_a_crash_at_any_moment(bellhand):
    bellhand.use({module})
    bellhand.assert_crash_safe("{kind}", items=["a", "b"])
'''

new = App(name="new", help="Write something to begin with.")


@new.command
def handler(
    name: Annotated[str, Parameter(help="A kind, as shop.count; the part before the dot names the file.")],
    /,
    *,
    cli: Given,
) -> int:  # fmt: skip
    """Write a handler and its test into this folder, and say how they are run; files that are there stay as they are."""
    found = NAME.fullmatch(name)
    if found is None:
        raise Usage(f"{name!r} names no kind", why="it is small letters, digits and _, with one dot", fix="bellhand new handler shop.count")  # fmt: skip
    module, function = found[1], found[2] or "run"
    words = {"module": module, "function": function, "kind": f"{module}.{function}", "model": function.title().replace("_", "")}  # fmt: skip
    files = {f"{module}.py": HANDLER, f"test_{module}.py": TEST}
    for file, text in files.items():
        _new(Path(file), text.format(**words))
    if cli.json:
        say_json({"kind": words["kind"], "files": list(files)})
        return 0
    for file in files:
        say(file)
    if not cli.quiet:
        tell(f"run it without a queue   bellhand exec {words['kind']} --module {module}")
        tell(f"let daemons know it      modules = [..., \"{module}\"] in config.toml, or BELLHAND_MODULES={module}")  # fmt: skip
        tell(f"test it                  pytest test_{module}.py")
    return 0


def init(
    file: Annotated[Path, Parameter(help="A new file.")] = Path("config.toml"),
    /,
    *,
    cli: Given,
) -> int:
    """Write a configuration to begin with: every setting with its default and what it means, none of them set."""
    _new(file, starter())
    if cli.json:
        say_json({"file": str(file)})
    else:
        say(plain(file))
        if not cli.quiet:
            tell("take the # away from what you change, then: bellhand check")
    return 0


def _new(file: Path, text: str) -> None:
    """A new file with that text; Refused where there is one."""
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise Refused(f"{file} could not be written", why=str(error), fix="name another one, or move that away") from error  # fmt: skip


def exec_(
    kind: Kind,
    /,
    *payload: Annotated[str, Parameter(help="As for enqueue: key=value, JSON, or - for stdin.")],
    module: Annotated[
        list[str] | None, Parameter(help="Where the handler is, beside the configured modules; may be repeated.")
    ] = None,
    cli: Given,
) -> int:  # fmt: skip
    """Run a handler once, here, without a queue: on a database of its own that is gone afterwards.

    The daemon's own code runs it, with the configured services; what it does outside it really does. Exits 5 if it did not complete.
    """
    report = _run(cli, kind, payload, tuple(module or ()))
    said = {
        "kind": report.kind, "state": report.state, "partial": report.partial, "result": report.result, "error": report.error,
        "counters": report.counters,
        "steps": [{"name": step.name, "state": step.state, "attempts": step.attempts, "error": step.error} for step in report.steps],
    }  # fmt: skip
    if cli.json:
        say_json(said)
    else:
        for step in report.steps:
            say(f"  {'✓' if step.state == 'completed' else '!'} {plain(step.name)}" + (f"  {plain(step.error.splitlines()[-1])}" if step.error else ""))  # fmt: skip
        counted = "".join(f"  {value:g} {plain(name)}" for name, value in report.counters.items())
        say(f"{plain(report.kind)}  {painted_state('partial' if report.partial else report.state)}{counted}")  # fmt: skip
        for line in (report.error or "").splitlines()[-5:]:
            say(f"  {plain(line)}")
        if report.result is not None:
            say(f"  {plain(report.result)}")
    return 0 if report.state == "completed" else JOB_FAILED


def _run(cli: Cli, kind: str, words: tuple[str, ...], modules: tuple[str, ...]) -> Any:
    # Only here: the whole engine, and a database server.
    from bellhand.kinds import find_kinds
    from bellhand.testing.database import Loop, Server
    from bellhand.testing.desk import Bellhand

    settings = cli.configured
    known = find_kinds([*settings.modules, *modules])
    if kind not in known:
        near = get_close_matches(kind, known, 1)
        raise NotFound(
            f"no module has a kind {kind!r}",
            why=f"the modules are {', '.join((*settings.modules, *modules))}",
            fix=f"did you mean {near[0]}?" if near else f"name its module: bellhand exec {kind} --module MODULE",
        )  # fmt: skip
    payload = payload_of(words, known[kind].published().get("schema"))
    loop = Loop()
    try:
        server = Server(loop, None, None)
        desk = Bellhand(loop, server)
        try:
            desk.use(*settings.modules, *modules)
            desk.use_services(**_given(settings.services, "allow_networks"))
            desk.use_mail(**_given(settings.mail))
            return desk.run(kind, payload)
        finally:
            desk.close()
            server.close()
    finally:
        loop.close()


def _given(section: Any, *but: str) -> dict[str, Any]:
    """What the configuration says of a section."""
    return {name: value for name, value in section if name in section.model_fields_set - {*but}}
