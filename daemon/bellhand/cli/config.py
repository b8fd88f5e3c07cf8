"""The settings in force, one a line: name, value with secrets masked, and where it is from."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from bellhand.settings import DEFAULT_FILE, Settings
from bellhand.settings_credentials import read_credentials
from bellhand.settings_environment import read_environment
from bellhand.settings_errors import ENV_PREFIX, line_of, read_file

MASK = "********"
Place = tuple[str, ...]


def lines(path: Path | None, settings: Settings, *, from_flag: bool) -> list[tuple[str, str, str]]:
    """(`worker.concurrency`, `64`, `default`) for every setting."""
    file = path or Path(os.environ.get("BELLHAND_CONFIG") or DEFAULT_FILE)
    text, from_file = read_file(file, must_exist=False)
    from_env = read_environment(Settings)
    secrets = read_credentials(path or (file if os.environ.get("BELLHAND_CONFIG") else None))
    found = []
    for place, value in _leaves(settings):
        if from_flag and place == ("dsn",):
            origin = "--dsn"
        elif _has(from_env, place):
            origin = variable(place)
        elif _has(secrets, place):
            origin = "credential"
        elif _has(from_file, place):
            origin = f"{file}:{line_of(text, place) or 1}"
        else:
            origin = "default"
        found.append((".".join(place), shown(value), origin))
    return found


def variables(settings: Settings, *, reveal: bool = False) -> list[tuple[str, str]]:
    """(`BELLHAND_WORKER__CONCURRENCY`, `64`) for every setting that can be given that way."""
    return [(variable(place), shown(value, reveal=reveal)) for place, value in _leaves(settings)]


def variable(place: Place) -> str:
    """The environment variable that sets it."""
    return ENV_PREFIX + "__".join(place).upper()


def masked_dsn(dsn: str) -> str:
    """The DSN without its password."""
    dsn = re.sub(r"(?<=://)([^:/@?]*):.*@", rf"\1:{MASK}@", dsn)
    return re.sub(r"(password=)[^&\s]*", rf"\1{MASK}", dsn)


def shown(value: Any, *, reveal: bool = False) -> str:
    """A value as one would write it in the environment."""
    if isinstance(value, SecretStr):
        return value.get_secret_value() if reveal else MASK
    if value is None:
        return ""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, str):
        return (
            value if reveal or not ("://" in value or "password=" in value) else masked_dsn(value)
        )
    if isinstance(value, tuple) and all(isinstance(item, str | int) for item in value):
        return ",".join(str(item) for item in value)
    return json.dumps(value, default=_section)


def _section(value: BaseModel) -> dict[str, Any]:
    """A section inside a value, secrets masked whatever was asked."""
    return value.model_dump(mode="json", exclude_none=True)


def _leaves(model: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if hasattr(type(value), "model_fields"):
            yield from _leaves(value, (*place, name))
        elif isinstance(value, dict) and not place:
            for key, section in value.items():
                yield from _leaves(section, (*place, name, key))
        else:
            yield (*place, name), value


def _has(layer: Any, place: Place) -> bool:
    for part in place:
        if not isinstance(layer, Mapping) or part not in layer:
            return False
        layer = layer[part]
    return True
