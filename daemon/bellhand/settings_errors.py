"""Where a setting that is wrong stands, and which one was meant."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from .errors import Problem

ENV_PREFIX = "BELLHAND_"
ANY_NAME = "<name>"
ALONE = ("config", "dsn", "modules")  # variables without a section
NEAR_ALONE = 0.65  # how much another must be like one of them
Location = tuple[str, ...]


class SettingsError(Problem):
    """The configuration cannot be used; the text names every place."""


def read_file(file: Path, *, must_exist: bool) -> tuple[str, dict[str, Any]]:
    """The text of a TOML file and what it says; nothing if it may be absent and is."""
    try:
        text = file.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except FileNotFoundError as error:
        if not must_exist:
            return "", {}
        fix = "correct the name (--config or BELLHAND_CONFIG), or begin with: bellhand init"
        raise SettingsError(f"there is no file {file}", fix=fix) from error
    except (OSError, UnicodeError) as error:
        fix = (
            f"run it with sudo: it belongs to root and the service; if it is the service that may not: chgrp bellhand {file} && chmod 640 {file}"
            if isinstance(error, PermissionError)
            else ""
        )
        raise SettingsError(f"{file} cannot be read", why=str(error), fix=fix) from error
    except tomllib.TOMLDecodeError as error:
        twice = "overwrite" in str(error) or "twice" in str(error)
        raise SettingsError(
            f"{file} is not TOML: {error}",
            why="a key or a section stands there a second time"
            if twice
            else "a value that is text needs quotes, a section needs brackets",
            fix="correct that line; bellhand init all.toml writes every setting into a new file",
        ) from error


def unknown_variables(settings: type[BaseModel]) -> None:
    """Refuses BELLHAND_WROKER__CONCURRENCY and BELLHAND_STATUS_PORT, which would otherwise do nothing."""
    said = []
    for name, value in os.environ.items():
        # Where a service of Kubernetes is called bellhand-status, every container has BELLHAND_STATUS_PORT=tcp://...
        if name.startswith(ENV_PREFIX) and not value.startswith(("tcp://", "udp://")):
            bare = name.removeprefix(ENV_PREFIX).lower()
            meant = _section_meant(bare, settings) if "__" in bare else _alone_meant(bare, settings)
            if meant is not None:
                hint = f"; did you mean {_variable(meant)}?" if meant else ""
                said.append(f"the variable {name} sets nothing{hint}")
    if said:
        raise _error(said)


def _section_meant(bare: str, settings: type[BaseModel]) -> Location | None:
    """The setting that was meant by a variable of a section that there is not; None if there is it, () if nothing is near."""
    section, *rest = bare.split("__")
    if section in settings.model_fields:
        return None
    near = get_close_matches(section, settings.model_fields, 1)
    return (near[0], *rest) if near else ()


def _alone_meant(bare: str, settings: type[BaseModel]) -> Location | None:
    """The same of a variable without a section: other programs have theirs, so only what is as good as one of ours counts."""
    if bare in (*settings.model_fields, *ALONE):
        return None
    for place in _places(settings):
        if "_".join(place) == bare:
            return place
    near = get_close_matches(bare, ALONE, 1, NEAR_ALONE)
    return (near[0],) if near and not bare.startswith(near[0]) else None


def _variable(place: Location) -> str:
    return ENV_PREFIX + "__".join(place).upper()


def explain(
    error: ValidationError,
    settings: type[BaseModel],
    *,
    file: Path,
    text: str,
    env: Mapping[str, Any],
    secrets: Mapping[str, Any],
) -> SettingsError:
    """All that is wrong, each with its place and, for a wrong key, the nearest right one."""
    said = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        location = tuple(part for part in item["loc"] if isinstance(part, str))
        culprit = _culprit(location, item["msg"], settings)
        if _is_in(env, location) or _is_in(env, culprit):
            place, name = "", f"the variable {_variable(culprit)}"
        elif _is_in(secrets, location):
            place, name = "", f"the credential {'.'.join(location)}"
        elif line := line_of(text, culprit):
            place, name = f"{file}, line {line}: ", _shown(location, settings)
        else:
            place, name = "", _shown(location, settings)
        if item["type"] == "extra_forbidden":
            meant = _meant(location, settings, by=_variable if name.startswith("the variable") else None)  # fmt: skip
            said.append(f"{place}{name} is not a setting{meant}")
        else:
            about = f"{name}: " if name else ""  # what lies between sections names both itself
            said.append(f"{place}{about}{item['msg'].removeprefix('Value error, ')}")
    return _error(said)


def _culprit(location: Location, message: str, settings: type[BaseModel]) -> Location:
    """The setting that a complaint about a section names first, as in `lease_seconds (3) must be`; else the section."""
    first = message.removeprefix("Value error, ").partition(" ")[0]
    named = (*location, *first.split("."))
    return named if any(_is_section(place, named) for place in _places(settings)) else location


def _error(said: list[str]) -> SettingsError:
    return SettingsError(
        "\n".join(said),
        why="a wrong or unknown setting is refused, so that a typo cannot silently do nothing",
        fix="correct it; bellhand init all.toml writes every setting, with what it means, into a new file",
    )


def line_of(text: str, location: Location) -> int | None:
    """The line of a TOML text where a setting, or else the section it should be in, stands."""
    section: Location = ()
    best: tuple[int, int] | None = None  # how much of the location matches, negated line
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[\[?\s*([^\[\]]+?)\s*\]", line):
            section = found = _keys(header[1])
        elif key := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            found = section + _keys(key[1])
        else:
            continue
        shared = min(len(found), len(location))
        if shared and found[:shared] == location[:shared]:  # above it, it, or what lies in it
            best = max(best or (0, 0), (shared, -number))
    return -best[1] if best else None


def _keys(dotted: str) -> Location:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _shown(location: Location, settings: type[BaseModel] | None = None) -> str:
    """`[worker] concurrency`; of a whole section `[schedules.nightly]`."""
    depth = len(location)
    if settings and any(len(p) > depth and _is_section(p[:depth], location) for p in _places(settings)):  # fmt: skip
        return f"[{'.'.join(location)}]" if location else ""
    *section, key = location or ("",)
    return f"[{'.'.join(section)}] {key}" if section else key


def _is_in(layer: Any, location: Location) -> bool:
    for part in location:
        if not isinstance(layer, Mapping) or part not in layer:
            return False
        layer = layer[part]
    return not isinstance(layer, Mapping)


def _meant(location: Location, settings: type[BaseModel], *, by: Callable[[Location], str] | None = None) -> str:  # fmt: skip
    """`; did you mean "concurrency"?`, looking at its neighbours first and then everywhere; `by` names it otherwise."""
    *section, key = location
    everywhere = list(_places(settings))
    here = [place[-1] for place in everywhere if _is_section(place[:-1], section)]
    if near := get_close_matches(key, here, 1):
        return (
            f"; did you mean {by((*section, near[0]))}?" if by else f'; did you mean "{near[0]}"?'
        )
    by_key: dict[str, list[Location]] = {}
    for place in everywhere:
        if len(place) > 1:
            by_key.setdefault(place[-1], []).append(place)
    if near := get_close_matches(key, by_key, 1):
        return f"; did you mean {' or '.join(map(by or _shown, by_key[near[0]][:2]))}?"
    return f"; there is {', '.join(here)}" if here else ""


def _is_section(place: Location, section: Sequence[str]) -> bool:
    return len(place) == len(section) and all(
        ours in (theirs, ANY_NAME) for ours, theirs in zip(place, section, strict=True)
    )


def _places(model: type[BaseModel], prefix: Location = ()) -> Iterator[Location]:
    """Where every setting stands; sections that people name stand under <name>."""
    for name, field in model.model_fields.items():
        yield (*prefix, name)
        inner, *named = field.annotation, *get_args(field.annotation)[1:]
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _places(inner, (*prefix, name))
        elif named and isinstance(named[0], type) and issubclass(named[0], BaseModel):
            yield from _places(named[0], (*prefix, name, ANY_NAME))
