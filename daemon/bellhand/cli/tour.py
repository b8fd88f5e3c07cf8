"""`bellhand dev --tour`: six things to try, each ticked off once it has been seen to happen."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from datetime import datetime

from bellhand.cli.context import Database
from bellhand.cli.output import paint, say

LOOKS_APART_SECONDS = 1.0
SHIPPED = "bellhand."  # modules that come along
OBJECTIVES = {
    "queued": ("queue a job", "{command} enqueue demo.report step_seconds=5"),
    "watched": ("watch it", "{command} watch @last        or open {page}"),
    "cancelled": ("cancel one that runs", "{command} enqueue demo.report step_seconds=20 && {command} cancel @last"),
    "retried": ("run it again: steps that were done are not done again", "{command} retry @last"),
    "survived": ("kill the daemon and see a job go on where it was", "kill -9 {pid}        while one runs; then the same command again, and wait for it"),
    "written": ("run a handler of your own", "{command} new handler hello        Ctrl-C here, BELLHAND_MODULES=hello {command} dev --tour, then {command} enqueue hello.run"),
}  # fmt: skip


class Tour:
    """What is done and what comes next; `look` again and again."""

    def __init__(
        self, database: Database, kinds: Iterable[str], command: str, page: str, followers: Callable[[], int]
    ) -> None:  # fmt: skip
        self.database = database
        self.kinds = list(kinds)
        self.words = {"command": command, "page": page, "pid": os.getpid()}
        self.followers = followers
        self.since: datetime | None = None
        self.done: set[str] = set()
        self._next_at = 0.0

    async def begin(self) -> None:
        """Where it was left, or from the start when it has been walked to its end."""
        await self._from(anew=False)
        await self._observe()
        if len(self.done) == len(OBJECTIVES):
            await self._from(anew=True)
        say(
            "  The tour: each is ticked off when it has happened; leave it with Ctrl-C, go on with the same command"
        )
        for name, (what, _) in OBJECTIVES.items():
            say(f"  {paint('✓', 'green') if name in self.done else '·'} {what}")
        self._say_next()

    async def _from(self, *, anew: bool) -> None:
        row = await self.database.row("tour_begin", anew)
        assert row
        self.since, self.done = row["since"], {"watched"} if row["watched"] else set()

    async def look(self, clear: str = "") -> None:
        """Ticks off what has happened since the last look, once a second at most; `clear` empties the line that moves."""
        now = asyncio.get_running_loop().time()
        if self.since is None or now < self._next_at or len(self.done) == len(OBJECTIVES):
            return
        self._next_at = now + LOOKS_APART_SECONDS
        for name in await self._observe():
            say(
                f"{clear}  {paint('✓', 'green')} {len(self.done)} of {len(OBJECTIVES)}: {OBJECTIVES[name][0]}"
            )
            self._say_next()

    async def _observe(self) -> list[str]:
        row = await self.database.row("tour", self.since, self.kinds)
        assert row
        seen = {name for name in OBJECTIVES if row[name]} | (
            {"watched"} if self.followers() else set()
        )
        found = [name for name in OBJECTIVES if name in seen - self.done]
        if "watched" in found:  # nothing else keeps it
            await self.database.rows("tour_watched")
        self.done |= set(found)
        return found

    def _say_next(self) -> None:
        for name, (what, how) in OBJECTIVES.items():
            if name not in self.done:
                say(f"  {paint('▸', 'blue')} {what}:  {how.format(**self.words)}")
                return
        say("  that was the tour. Where to go on: docs/tutorial.md, bellhand --help, bellhand help")
