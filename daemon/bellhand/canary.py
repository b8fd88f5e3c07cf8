"""A job that does nothing, sent through every lane that is quiet, to see that it comes back (keep_canaries.sql)."""

from __future__ import annotations

from .kinds import ATTRIBUTE, Kind, job_kind

NAME = "bellhand.canary"


@job_kind(NAME, attempts_max=100, timeout_seconds=60, side_effects="none")
async def canary() -> None:
    """A pulse: tells that jobs of a lane are taken up, run and settled. Sent by the daemons themselves."""


KIND: Kind = getattr(canary, ATTRIBUTE)
