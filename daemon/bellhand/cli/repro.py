"""`bellhand repro`: a job that went wrong, as a folder with which its handler is run again where it can be mended."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from bellhand import __version__
from bellhand.cli.arguments import Job
from bellhand.cli.context import Cli, Given
from bellhand.cli.errors import Refused
from bellhand.cli.jobs import step_of
from bellhand.cli.naming import find, name_of
from bellhand.cli.output import plain, say, say_json, tell
from bellhand.errors import Problem
from bellhand.logs import HIDDEN, SECRET_NAME, without_secrets
from bellhand.resource import resource

LEFT_OUT = ("result", "results of steps", "owner", "tags", "log", "who is told")
TOLD = (
    "id", "key", "kind", "state", "partial", "attempt", "attempts_max", "crashes", "lane", "priority",
    "created_at", "started_at", "finished_at",
)  # fmt: skip
README = """\
# Job {id} of {kind}, {state}

`job.json` has what was asked for, how it went and which versions ran it. From where its module is found, its handler is run again, without a
queue, on a database of its own:

    bellhand exec --job-file {folder}/job.json{module} --really

What the handler does outside (messages, charges, requests) it really does: use settings for tests.{test}

Redacted: {redacted}. Left out: {left_out}.
What was redacted must be written into job.json first. All else of the payload is as it was, personal data included: mind where you put it.
"""
TESTED = " `python -m pytest {folder}/test_repro.py` runs it too, and\nfails until the handler is mended."
TEST = '''"""Job {id} of {kind} once more: fails until its handler is mended."""

import json
from pathlib import Path


def test_the_job_completes(bellhand):
    job = json.loads(Path(__file__).with_name("job.json").read_text())
    bellhand.use({module!r})
    report = bellhand.run(job["kind"], job["payload"])
    assert report.state == "completed", report.error
'''


async def repro(
    job: Job,
    /,
    *,
    output: Annotated[Path | None, Parameter(help="The folder to make; else bellhand-repro-ID.")] = None,
    cli: Given,
) -> int:  # fmt: skip
    """Write a folder from a job, with which a developer runs its handler again: what was asked, how it went, a test.

    What is secret by its name or its look is redacted; results, owner, tags and log are left out; other personal data of the payload stays. The job stays as it is.
    """
    async with cli.database() as database:
        row = await find(database, name_of(job))
        steps = [step_of(step) for step in await database.rows("steps", row["id"])]
    found = resource(row)
    redacted: list[str] = []
    payload = _redacted(found["payload"], "", redacted)
    module = _module_of(cli, found["kind"])
    said = {
        "kind": found["kind"], "payload": payload, "redacted": redacted, "left_out": LEFT_OUT,
        "job": {name: found[name] for name in TOLD if name in found} | {"error": _clean(found["error"])},
        "steps": [{"name": step["name"], "state": step["state"], "attempts": step["attempts"], "error": _clean(step["error"])} for step in steps],
        "versions": {"bellhand": __version__, "python": platform.python_version()},
    }  # fmt: skip
    words = {
        "id": found["id"], "kind": found["kind"], "state": found["state"], "module": f" --module {module}" if module else "",
        "redacted": ", ".join(f"`{path}`" for path in redacted) or "nothing", "left_out": ", ".join(LEFT_OUT),
    }  # fmt: skip
    folder = output or Path(f"bellhand-repro-{found['id']}")
    words |= {"folder": folder.name, "test": TESTED.format(folder=folder.name) if module else ""}
    files = {"job.json": json.dumps(said, indent=2, ensure_ascii=False) + "\n", "README.md": README.format(**words)}  # fmt: skip
    if module:
        files["test_repro.py"] = TEST.format(**(words | {"module": module}))
    _write(folder, files)
    if cli.json:
        say_json({"folder": str(folder), "files": list(files), "redacted": redacted, "left_out": LEFT_OUT})  # fmt: skip
        return 0
    say(plain(str(folder)))
    if not cli.quiet:
        tell(
            f"redacted: {plain(', '.join(redacted)) or 'nothing'}; left out: {', '.join(LEFT_OUT)}; look into it before you send it"
        )
        if not module:
            tell(
                f"no module here handles {plain(found['kind'])}, so there is no test in it: name its module with `modules`, or later with --module"
            )
        tell(
            f"run it   bellhand exec --job-file {plain(str(folder / 'job.json'))}{words['module']} --really"
        )
    return 0


def _redacted(value: Any, path: str, found: list[str], name: str = "") -> Any:
    """JSON without what is secret by its name or its look; `found` gets where that was, as JSON pointers (RFC 6901)."""
    if value is not None and SECRET_NAME.search(name):
        found.append(path)
        return HIDDEN
    if isinstance(value, dict):
        return {key: _redacted(inner, f"{path}/{_word(key)}", found, key) for key, inner in value.items()}  # fmt: skip
    if isinstance(value, list):
        return [_redacted(inner, f"{path}/{n}", found) for n, inner in enumerate(value)]
    if isinstance(value, str) and (clean := without_secrets(value)) != value:
        found.append(path)
        return clean
    return value


def _word(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _clean(text: str | None) -> str | None:
    return None if text is None else without_secrets(text)


def _module_of(cli: Cli, kind: str) -> str | None:
    """Where the handler is on this machine; None where it is not."""
    from bellhand.kinds import find_kinds

    try:
        found = find_kinds(cli.configured.modules).get(kind)
    except Problem:
        return None  # whoever gets the folder has the module; here it need not be
    return found.handler.__module__ if found else None


def _write(folder: Path, files: dict[str, str]) -> None:
    """A new folder with these files, for its owner alone."""
    try:
        folder.mkdir(mode=0o700)
        for name, text in files.items():
            with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:  # fmt: skip
                file.write(text)
    except OSError as error:
        raise Refused(f"{folder} could not be written", why=str(error), fix="name another folder with --output") from error  # fmt: skip
