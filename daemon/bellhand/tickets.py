"""Tickets: what a browser shows instead of a token; good for one job, for a while, and for looking (or cancelling) only.

A token is long-lived and would end up in histories and logs of proxies if it were part of an address. A ticket may: it is
made for one page, and expires.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bellhand.look import Look

PREFIX = "bht_"
SECONDS = 3600
SECONDS_MIN = 10
SECONDS_MAX = 7 * 86_400
_FORM = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Ticket:
    """For which job, what its holder may do, and how long it is good for; `expired` ones are known for a day."""

    job: int
    key: UUID
    cancel: bool
    seconds_left: float

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self.seconds_left <= 0


async def make_ticket(
    look: Look, job: int, key: UUID, *, cancel: bool, seconds: float, by: str
) -> tuple[str, datetime]:
    """A new ticket, and when it expires. Only its digest is stored: it cannot be shown again."""
    text = PREFIX + secrets.token_urlsafe(32)
    row = await look.row("ticket_make", _digest(text), job, key, cancel, seconds, by)
    assert row
    return text, row["expires_at"]


async def find_ticket(look: Look, text: str) -> Ticket | None:
    """The ticket that somebody shows; None if there is none."""
    if not _FORM.fullmatch(text):
        return None
    row = await look.row("ticket_find", _digest(text))
    return Ticket(row["job"], row["key"], row["cancel"], row["seconds_left"]) if row else None


def _digest(text: str) -> bytes:
    # 256 random bits need no slow hash. Found by its digest: how long that takes tells nothing about the ticket.
    return hashlib.sha256(text.encode()).digest()
