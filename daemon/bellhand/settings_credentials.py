"""Secrets as files: one file a setting, named as the setting is, as in `status.token` or `services.serpapi.key`.

systemd hands them over under $CREDENTIALS_DIRECTORY, each with the unit's prefix (`bellhand_dsn`), readable by nobody else;
who runs a command by hand reads the folder `credentials` beside the configuration file, which belongs to root.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .settings_errors import SettingsError

FOLDER = "credentials"
PREFIX = "bellhand_"  # LoadCredential=bellhand:/etc/bellhand/credentials
BYTES_MAX = 65_536


def read_credentials(config: Path | None) -> dict[str, Any]:
    """What the files say, as the configuration would: `{"status": {"token": "..."}}`; raises SettingsError."""
    fix = "run it as root (sudo), which they belong to"
    if given := os.environ.get("CREDENTIALS_DIRECTORY"):
        folder, prefix = Path(given), PREFIX
        fix = "systemd should have handed them over: see LoadCredential= in `systemctl cat bellhand`, and `journalctl -b _PID=1`"
    elif config is not None:
        folder, prefix = config.parent / FOLDER, ""
    else:
        return {}
    found: dict[str, Any] = {}
    try:
        for file in sorted(folder.iterdir()):
            if file.name.startswith(prefix) and not file.name.startswith("."):
                _put(found, file.name.removeprefix(prefix).split("."), _text(file))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeError) as error:
        raise SettingsError(
            f"the secrets in {folder} cannot be read",
            why=str(error),
            fix=fix,
        ) from error
    return found


def _text(file: Path) -> str:
    with file.open(encoding="utf-8") as opened:
        text = opened.read(BYTES_MAX + 1)
    if len(text) > BYTES_MAX or "\x00" in text:
        raise SettingsError(
            f"{file} is no secret of ours",
            why=f"it has more than {BYTES_MAX} bytes, or is not text",
            fix="put the secret alone into it, or take the file out of that folder",
        )
    return text.strip()


def _put(found: dict[str, Any], place: list[str], value: str) -> None:
    *sections, key = place
    for section in sections:
        found = found.setdefault(section, {})
        if not isinstance(found, dict):
            raise SettingsError(
                f"there is a credential {section} beside {'.'.join(place)}",
                why=f"{section} cannot be a value and a section at once",
                fix=f"take the file {section} away, or name it as its setting is: {section}.KEY",
            )
    found[key] = value
