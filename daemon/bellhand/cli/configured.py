"""What `check` says of the configuration without asking a database: handlers, schedules, keys of outside services."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from bellhand.clients.secret import Key
from bellhand.errors import Problem
from bellhand.kinds import Kind, find_kinds
from bellhand.settings import DEFAULT_FILE
from bellhand.settings_errors import line_of, read_file

if TYPE_CHECKING:
    from bellhand.settings import Schedule, Settings

WRONG_MAX, KINDS_MAX = 3, 5  # how many mistakes of a payload, and names of kinds, are told


def handlers(settings: Settings, config: Path | None) -> str:
    """The modules import, and each schedule enqueues what its handler takes; raises Problem."""
    found = find_kinds(settings.modules)
    for name, schedule in settings.schedules.items():
        _fits(name, schedule, found, config)
    return f"modules: {len(settings.modules)}, kinds: {len(found)}"


def _fits(name: str, schedule: Schedule, found: Mapping[str, Kind], config: Path | None) -> None:
    kind = found.get(schedule.kind)
    if kind is None:
        near = get_close_matches(schedule.kind, found, 1)
        raise Problem(
            f"{_line(config, name, 'kind')}schedule {name} enqueues {schedule.kind}, which no module handles",
            why=f"they hold {len(found)} kinds, among them {', '.join(sorted(found)[:KINDS_MAX])}" if found else "they hold no kinds at all",
            fix=f"did you mean {near[0]}? Else add the module of the kind to `modules`" if near else "correct the kind, or add its module to `modules`",
        )  # fmt: skip
    if kind.adapter is None:
        return
    try:
        kind.adapter.validate_json(json.dumps(schedule.payload, default=str))
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)
        said = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}".removeprefix(": ") for one in wrong[:WRONG_MAX]]  # fmt: skip
        raise Problem(
            f"{_line(config, name, 'payload')}the payload of schedule {name} does not fit {schedule.kind}",
            why="; ".join(said),
            fix=f"correct it; the handler takes {', '.join(kind.adapter.json_schema().get('properties', {})) or 'nothing'}",
        ) from None  # fmt: skip


def _line(config: Path | None, schedule: str, key: str) -> str:
    """Where the setting stands, as `config.toml, line 3: `; empty if it is not in a file."""
    file = config or Path(os.environ.get("BELLHAND_CONFIG") or DEFAULT_FILE)
    text, _ = read_file(file, must_exist=False)
    line = line_of(text, ("schedules", schedule, key))
    return f"{file}, line {line}: " if line else ""


def for_the_service(file: Path, user: str) -> None:
    """Raises Problem where the modes of a file, or of a folder above it, keep it from the user whom the service runs as."""
    with suppress(KeyError):
        who = pwd.getpwnam(user)
        groups = set(os.getgrouplist(user, who.pw_gid))
        for place in (*reversed(file.resolve().parents), file):
            seen = place.stat()
            shift = 6 if seen.st_uid == who.pw_uid else 3 if seen.st_gid in groups else 0
            wanted = 0o4 if place == file else 0o1
            if who.pw_uid and not seen.st_mode >> shift & wanted:
                raise Problem(
                    f"{file} cannot be read by {user}, whom the service runs as",
                    why=f"the mode of {place} is {seen.st_mode & 0o7777:04o}, of {seen.st_uid}:{seen.st_gid}",
                    fix=f"chgrp {user} {place} && chmod {'g+r' if place == file else 'g+x'} {place}",
                )


def _readable(settings: Settings) -> None:
    """Raises Problem for a file of mail or of a channel that cannot be read."""
    files = {f"[mail] {name}": getattr(settings.mail, name) for name in ("ca_file", "password_file")}  # fmt: skip
    for channel, one in settings.notify.channels.items():
        files |= {f"[notify.channels.{channel}] {name}": getattr(one, name) for name in ("url_file", "secret_file")}  # fmt: skip
    for place, file in files.items():
        try:
            if file is not None:
                file.read_bytes()
        except OSError as error:
            raise Problem(
                f"{place} cannot be read from {file}",
                why=f"{error.strerror}; what is to be sent would wait, or fail",
                fix="write it there, for the user of the daemon to read, or correct the path",
            ) from error


def services(settings: Settings) -> str:
    """Which outside services have a key; raises Problem for a file of theirs, of mail or of a channel that cannot be read."""
    _readable(settings)
    have: list[str] = []
    lack: list[str] = []
    for name in type(settings.services).model_fields:
        service = getattr(settings.services, name)
        if not hasattr(service, "key_file"):
            continue
        try:
            key = Key(service.key, service.key_file).text()
        except OSError as error:
            raise _unreadable(name, service.key_file, error.strerror or str(error)) from error
        if key is None and service.key_file is not None:
            raise _unreadable(name, service.key_file, "it is empty or not there")
        (lack if key is None else have).append(name)
    (have if settings.mail.host else lack).append("mail")
    return f"{', '.join(have) or 'none'}; not set up, so that jobs which need them wait: {', '.join(lack) or 'none'}"


def _unreadable(name: str, file: Path, why: str) -> Problem:
    return Problem(
        f"the key of {name} cannot be read from {file}",
        why=f"{why}; jobs that need it would wait",
        fix=f"write the key there, for the user of the daemon to read, or correct [services.{name}] key_file",
    )  # fmt: skip
