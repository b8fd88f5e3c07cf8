"""What a queue must be able to do to be measured."""

from __future__ import annotations

from typing import Protocol

from .crew import Crew
from .place import Place

# About what a small real payload weighs. Every peer stores it as its documentation says.
PAYLOAD_FILLER = "x" * 80


class Peer(Protocol):
    """One queue: its schema, its fastest ways in, its worker process."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> str:
        """How its worker is set up, for the report."""
        ...

    @property
    def drain_jobs(self) -> int:
        """A drain of so many takes seconds."""
        ...

    @property
    def channels(self) -> tuple[str, ...]:
        """That its NOTIFYs go to."""
        ...

    @property
    def insert_one(self) -> str:
        """One job through SQL; $1 is its number."""
        ...

    @property
    def unfinished(self) -> str:
        """SQL that finds a row as long as any job is not finished; cheap while many are not."""
        ...

    def missing(self) -> str | None:
        """Why it cannot run here, in a sentence; None if it can."""
        ...

    def version(self) -> str:
        """Of what is installed."""
        ...

    async def prepare(self, place: Place) -> None:
        """Its schema in a fresh database."""
        ...

    async def fill(self, place: Place, jobs: int) -> float:
        """Enqueues so many jobs that do nothing in its fastest documented way; seconds it took."""
        ...

    async def fill_later(self, place: Place, jobs: int) -> None:
        """Enqueues so many jobs that are due tomorrow."""
        ...

    def crew(self, place: Place, processes: int = 1) -> Crew:
        """Its workers, not yet started."""
        ...
