"""A service's key: where it comes from, and how it is kept out of every text."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path

from pydantic import SecretStr

HIDDEN = "***"
FINGERPRINT_CHARS = 12


class Key:
    """The key itself, or the file that holds it, which is read anew whenever it has changed."""

    def __init__(self, key: SecretStr | None, file: Path | None) -> None:
        self._key = key
        self._file = file
        self._seen: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return f"Key({HIDDEN})"

    def text(self) -> str | None:
        """The key, None while there is none; raises OSError for a file that is there and cannot be read."""
        if self._file is not None:
            self._read(self._file)
        return self._key.get_secret_value().strip() if self._key is not None else None

    def _read(self, file: Path) -> None:
        try:
            found = file.stat()
        except FileNotFoundError:
            return  # the key that was read before, or given beside it, stays good
        if (found.st_mtime_ns, found.st_size) != self._seen:
            text = file.read_text(encoding="utf-8", errors="replace").strip()
            self._key = SecretStr(text) if text else None
            self._seen = (found.st_mtime_ns, found.st_size)


def fingerprint(key: str) -> str:
    """Tells one key from another and gives neither away."""
    return hashlib.sha256(key.encode()).hexdigest()[:FINGERPRINT_CHARS]


def without(key: str, text: str) -> str:
    """The text with the key blacked out, however much of it is escaped as addresses or JSON escape."""
    return _spellings(key).sub(HIDDEN, text)


@lru_cache(maxsize=16)
def _spellings(key: str) -> re.Pattern[str]:
    # Programs differ in which characters they escape in an address, so each may be either.
    each = (
        rf"(?:\\*{re.escape(c)}|{''.join(f'%{byte:02x}' for byte in c.encode('utf-8', 'replace'))})"
        for c in key
    )
    return re.compile("".join(each), re.I)
