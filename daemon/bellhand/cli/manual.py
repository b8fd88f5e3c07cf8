"""The manual pages, made of what the program says of itself: bellhand(1), and bellhand.toml(5) of the example configuration."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cyclopts import App

from bellhand import __version__
from bellhand.cli.app import app
from bellhand.cli.commands import COMMANDS, GROUPS, tell_all
from bellhand.cli.completion_bash import script
from bellhand.cli.installing import EXAMPLE
from bellhand.cli.topics import EXIT_CODES, TOPICS

FILES = {
    "/etc/bellhand/config.toml": "The configuration of the service; see bellhand.toml(5).",
    "/etc/bellhand/credentials/": "Secrets, a file each, named as the setting is; root's alone.",
    "/etc/bellhand/lanes/": "Settings of bellhand@LANE.service, a file a lane.",
    "~/.local/state/bellhand/": "What `bellhand dev` makes, and which job @last names.",
}


def pages() -> dict[str, str]:
    """The text of each page by the name of its file."""
    return {"bellhand.1": commands(), "bellhand.toml.5": configuration()}


def installed() -> dict[str, str]:
    """What else a machine gets with the program, by its place below share/: the pages, and completion for bash."""
    tell_all(app)
    found = {f"man/man{name[-1]}/{name}": text for name, text in pages().items()}
    return found | {"bash-completion/completions/bellhand": script(app) + "\n"}


def write(folder: Path) -> None:
    """Writes them there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def commands() -> str:
    """bellhand(1)."""
    whole = tell_all(app)
    lines = [_head("BELLHAND", 1), ".SH NAME", r"bellhand \- background jobs for anything that can write a row to Postgres"]  # fmt: skip
    lines += [".SH SYNOPSIS", r"\fBbellhand\fR \fICOMMAND\fR [\fIOPTIONS\fR]", ".SH DESCRIPTION"]
    lines += _paragraphs(
        "An app inserts a row, a daemon runs the job, and this program starts the daemon, looks at jobs and tells them what to do. It talks to "
        "Postgres, not to the daemon, so it works while every daemon is down."
    )
    lines += [".SH OPTIONS OF EVERY COMMAND", *_options(app.meta)]
    heading = ""
    for group, name, _, _ in COMMANDS:
        if group.name != heading:
            heading = group.name
            lines.append(f".SH {_escaped(heading.upper())}")
        lines += _command((name,), whole[name])
        if name in GROUPS:
            for inner in whole[name]:
                if not inner.startswith("-"):
                    lines += _command((name, inner), whole[name][inner])
    lines += [".SH EXIT STATUS"]
    for code, text in EXIT_CODES.items():
        lines += [".TP", rf"\fB{code}\fR", _escaped(text)]
    lines += [".SH ENVIRONMENT", *_kept(TOPICS["environment"]), ".SH FORMATS", *_kept(TOPICS["formatting"])]  # fmt: skip
    lines += [".SH NAMES OF JOBS", *_kept(TOPICS["names"]), ".SH FILES"]
    for file, text in FILES.items():
        lines += [".TP", rf"\fI{_escaped(file)}\fR", _escaped(text)]
    lines += [".SH SEE ALSO", r"\fBbellhand.toml\fR(5), \fBpsql\fR(1), \fBsystemctl\fR(1)"]
    return "\n".join(lines) + "\n"


def configuration() -> str:
    """bellhand.toml(5): every setting with its comment, in the order of the example."""
    lines = [_head("BELLHAND.TOML", 5), ".SH NAME", r"bellhand.toml \- settings of bellhand", ".SH DESCRIPTION"]  # fmt: skip
    lines += _paragraphs(
        "config.toml where the program runs, $BELLHAND_CONFIG, or --config; the service has /etc/bellhand/config.toml. Every setting also has a "
        "variable, BELLHAND_SECTION__KEY, which beats the file. Unknown keys are refused with the nearest one. `bellhand check` says what is wrong, "
        "and `systemctl reload bellhand` takes in what has changed. The values below are the defaults, or examples where there is none."
    )
    lines += [".SH SETTINGS", *_settings(EXAMPLE.read_text(encoding="utf-8"))]
    lines += [".SH SEE ALSO", r"\fBbellhand\fR(1)"]
    return "\n".join(lines) + "\n"


def _settings(text: str) -> Iterator[str]:
    said: list[str] = []
    for line in text.splitlines():
        if line.startswith("#") and not re.match(r"# ?[\w.\"-]+ = ", line):
            said.append(line.lstrip("# "))
            continue
        if line.startswith("["):
            yield f".SS {_escaped(line)}"
        elif line.strip():
            yield ".TP"
            yield rf"\fB{_escaped(line.lstrip('# '))}\fR"
        if said and line.strip():
            yield _escaped(" ".join(said))
        said = []


def _command(words: tuple[str, ...], one: App) -> Iterator[str]:
    """What one command does and takes."""
    yield f".SS bellhand {_escaped(' '.join(words))}"
    yield from _paragraphs(_text(one))
    if one.default_command is not None:
        yield from _options(one)


def _text(one: App) -> str:
    """Its text without the part on parameters, which are told of by themselves."""
    return re.split(r"\n+Parameters\n-+\n", inspect.cleandoc(one.help or ""))[0]


def _options(one: App) -> Iterator[str]:
    """Each argument with what it means."""
    for argument in one.assemble_argument_collection(parse_docstring=True):
        if argument.show and argument.parameter.parse is not False:
            names = [name for name in argument.names if not name.startswith("--empty-")]
            takes = "" if argument.index is not None or argument.hint is bool else _taken(argument)
            yield ".TP"
            yield ", ".join(rf"\fB{_escaped(name)}\fR" for name in names) + takes
            default = argument.field_info.default
            shown = f" Default: {default}." if _is_told(default) else ""
            yield _escaped((argument.parameter.help or "").strip() + shown) or r"\&"


def _taken(argument: Any) -> str:
    """What stands behind an option."""
    name = str(argument.field_info.name).rstrip("_").upper()
    return rf" \fI{_escaped(name)}\fR"


def _is_told(default: Any) -> bool:
    """Whether a default says something: none, no and empty do not."""
    return isinstance(default, int | float | str | Path) and not isinstance(default, bool) and default != ""  # fmt: skip


def _paragraphs(text: str) -> Iterator[str]:
    for part in filter(None, re.split(r"\n\s*\n", text)):
        yield ".PP"
        yield _escaped(" ".join(part.split()))


def _kept(text: str) -> Iterator[str]:
    """Lines as they are where they are indented, paragraphs where not."""
    for part in re.split(r"\n\s*\n", text):
        if part.startswith("  "):
            yield from (".PP", ".nf", *(_escaped(line) for line in textwrap.dedent(part).splitlines()), ".fi")  # fmt: skip
        else:
            yield from _paragraphs(part)


def _head(title: str, section: int) -> str:
    return f'.TH {title} {section} "" "bellhand {__version__}" "Bellhand"'


def _escaped(text: str) -> str:
    """Text that groff prints as it is: its own commands begin with a dot, its escapes with a backslash."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return re.sub(r"(?m)^(?=[.'])", r"\\&", text)
