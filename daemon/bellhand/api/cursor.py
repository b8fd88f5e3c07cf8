"""Where a reader of the log stands, as text that any daemon understands: the id of a server-sent event.

A number of a sequence would not do: transactions commit in another order than they draw numbers, so a reader
who goes on after the largest number it has seen misses what commits late. A snapshot says exactly what was visible. In
the middle of a page of rows a cursor also holds the page's own snapshot and its last row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

CHARS_MAX = 4000
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_SNAPSHOT = re.compile(r"[0-9a-z]{1,13}(\.[0-9a-z]{1,13})*")
_POSTGRES = re.compile(r"(\d+):(\d+):([\d,]*)")
FIRST_XID, XID_MAX = 3, 2**63 - 1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Which transactions are over: those below `xmax`, but for `pending`."""

    xmax: int
    pending: tuple[int, ...] = ()

    @classmethod
    def of(cls, text: str) -> Snapshot:
        """From what Postgres prints of a pg_snapshot."""
        found = _POSTGRES.fullmatch(text)
        assert found, text
        return cls(int(found[2]), tuple(int(xid) for xid in found[3].split(",") if xid))

    def __str__(self) -> str:
        """As Postgres reads it."""
        xmin = min(self.pending, default=self.xmax)
        return f"{xmin}:{self.xmax}:{','.join(map(str, self.pending))}"

    def sees(self, xid: int) -> bool:
        """Whether what this transaction wrote was visible."""
        return xid < self.xmax and xid not in self.pending

    def covers(self, other: Snapshot) -> bool:
        """Whether everything that `other` sees is seen here too."""
        return self.xmax >= other.xmax and all(
            xid in other.pending for xid in self.pending if xid < other.xmax
        )

    @property
    def word(self) -> str:
        """Short, and fit for a header: the bound, then how far below it each pending one is."""
        return ".".join(_in36(n) for n in (self.xmax, *(self.xmax - x for x in self.pending)))

    @classmethod
    def parse(cls, word: str) -> Snapshot:
        """The inverse of `word`; ValueError for anything else."""
        if not _SNAPSHOT.fullmatch(word):
            raise ValueError("this is no place in the log")
        xmax, *behind = (int(part, 36) for part in word.split("."))
        pending = tuple(sorted({xmax - n for n in behind}))
        if not FIRST_XID <= xmax <= XID_MAX or any(not FIRST_XID <= xid < xmax for xid in pending):
            raise ValueError("this is no place in the log")
        return cls(xmax, pending)


@dataclass(frozen=True, slots=True)
class Cursor:
    """All that `before` sees has been read; and of what `until` sees, if there is one, what lies up to (xid, seq)."""

    before: Snapshot
    until: Snapshot | None = None
    xid: int = 0
    seq: int = 0

    def at(self, until: Snapshot, xid: int, seq: int) -> Cursor:
        """In a page that `until` sees, after its row (xid, seq)."""
        return replace(self, until=until, xid=xid, seq=seq)

    @property
    def arguments(self) -> tuple[str, str | None, str, int]:
        """As the statements take it."""
        return str(self.before), str(self.until) if self.until else None, str(self.xid), self.seq

    def __str__(self) -> str:
        words = [self.before.word]
        if self.until is not None:
            words += [self.until.word, _in36(self.xid), _in36(self.seq)]
        return "_".join(words)

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """The inverse of str(); ValueError for anything else."""
        words = text.split("_")
        if len(text) > CHARS_MAX or len(words) not in (1, 4):
            raise ValueError("this is no place in the log")
        before = Snapshot.parse(words[0])
        if len(words) == 1:
            return cls(before)
        if not all(re.fullmatch(r"[0-9a-z]{1,13}", word) for word in words[2:]):
            raise ValueError("this is no place in the log")
        xid, seq = (int(word, 36) for word in words[2:])
        if xid > XID_MAX or seq >= 2**63:
            raise ValueError("this is no place in the log")
        return cls(before, Snapshot.parse(words[1]), xid, seq)


# Before the first transaction that a server gives out.
BEGINNING = Cursor(Snapshot(FIRST_XID))


def _in36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
        if number == 0:
            return digits
