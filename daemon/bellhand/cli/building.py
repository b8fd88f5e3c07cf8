"""Writing handlers: a configuration to begin with, and a handler to begin with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bellhand.cli.context import Given
from bellhand.cli.errors import Refused, Usage
from bellhand.cli.installing import starter
from bellhand.cli.output import plain, say, say_json, tell
from bellhand.cli.panels import group

NAME = re.compile(r"([a-z][a-z0-9_]*)(?:\.([a-z][a-z0-9_]*))?")
HANDLER = '''"""Jobs of {module}."""

from typing import Any

from pydantic import BaseModel, Field

from bellhand import Job, job_kind


class {model}(BaseModel):
    """What a job takes; whatever does not fit is refused when it is inserted, in any language."""

    items: list[str] = Field(default=["one", "two", "three"], max_length=1000)


@job_kind("{kind}", lane="{module}", attempts_max=3, step_timeout_seconds=60, side_effects="none")
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

new = group("new", "Write something to begin with.")


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
        tell(
            f"test it                  pytest test_{module}.py, or bellhand test {words['kind']} --module {module} --crash"
        )
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
