"""Where a claim looks: a position for every (lane, rank) in use, and what each lane may still give.

A rank is 10 - priority. A position (xid, id) says that nothing before it can ever become visible again, so a claim
skips dead index entries however many there are. That holds for one life of the server: a crash undoes claims that had
not reached the disk and gives their transactions' ids to others, so a new connection starts without positions, and behind
a pooler of transactions, which hides the crash, they are forgotten every ten seconds. Ranks
that nobody has claimed yet have none either; the gaps between the known ones are looked at as ranges, which are empty
until somebody uses a new priority.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .store import Lane, Life

RANK_FIRST, RANK_LAST = 0, 9
NOT_ASKED = -1


@dataclass(slots=True)
class LaneUse:
    """One lane as this worker sees it: its limits, and how many of its jobs run here in how many slots."""

    lane: Lane
    running: int = 0
    held: int = 0
    asked: int = NOT_ASKED  # the mode that the claim on its way was given
    told: int = 0  # how many that claim was told to run here: some may end before its answer

    def mode(self, room: int) -> int:
        """0: no limit. 1: take from the slots held. 2: ask for slots or tokens under the lane's lock."""
        if self.lane.rate_per_second is not None:
            return 2
        if self.lane.concurrency is None:
            return 0
        enough = self.running < self.held <= self.lane.concurrency
        return (
            1
            if enough and (self.held - self.running >= room or self.held == self.lane.concurrency)
            else 2
        )


@dataclass(slots=True)
class ByAge:
    """Of all jobs a worker claims, one in so many is the oldest it may have, whatever its rank, so that none starves.

    `due` counts jobs claimed since, less what was taken by age: it is never below 0, and never above the largest
    batch and one less than `one_in`.
    """

    due: int = 0

    def oldest(self, room: int, one_in: int) -> int:
        """How many of the next claim to take by age."""
        return min(room, self.due // one_in)

    def took(self, oldest: int, claimed: int, one_in: int) -> None:
        """Count a claim that asked for `oldest` by age."""
        self.due += claimed - min(oldest, claimed) * one_in


@dataclass(slots=True)
class Positions:
    """The claim positions of one worker and the use it makes of its lanes."""

    only: frozenset[str] = frozenset()  # names of the lanes to serve; empty: all
    lanes: dict[int, LaneUse] = field(default_factory=dict)
    known: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    life: Life | None = None  # in which they were learned

    def update(self, lanes: Iterable[Lane]) -> bool:
        """Take in the lanes as the database has them now; whether one is new or has changed."""
        changed = False
        for lane in lanes:
            if self.only and lane.name not in self.only:
                continue
            changed = changed or lane.id not in self.lanes or self.lanes[lane.id].lane != lane
            use = self.lanes.setdefault(lane.id, LaneUse(lane))
            use.lane = lane
            for rank in lane.ranks:
                self.known.setdefault((lane.id, rank), (0, 0))
        return changed

    @property
    def spare(self) -> bool:
        """Whether slots of a limited lane are held that nothing runs in."""
        return any(
            use.held > use.running
            for use in self.lanes.values()
            if use.lane.concurrency is not None and not use.lane.paused
        )

    def paused(self, lane: str) -> bool:
        """Whether this worker has heard that a lane is paused."""
        return any(use.lane.paused for use in self.lanes.values() if use.lane.name == lane)

    def where(self, room: int, oldest: int = 0) -> list[list[Any]]:
        """The nine arrays that claim.sql takes: five of segments, in the order to serve them, and four of open lanes.

        Where some are taken by age, the gaps are looked at rank by rank: a range gives its lowest rank first.
        """
        open_lanes = [use for use in self.lanes.values() if not use.lane.paused]
        segments: list[tuple[int, int, int, int, int]] = []  # low rank, xid, id, lane, high rank
        for use in open_lanes:
            lane, low = use.lane.id, RANK_FIRST
            for rank in sorted(rank for known_lane, rank in self.known if known_lane == lane):
                segments += _gap(lane, low, rank - 1, oldest > 0)
                segments.append((rank, *self.known[lane, rank], lane, rank))
                low = rank + 1
            segments += _gap(lane, low, RANK_LAST, oldest > 0)
        segments.sort()
        # Noted here, since the lanes may change while the claim is on its way.
        for use in self.lanes.values():
            use.asked = NOT_ASKED if use.lane.paused else use.mode(room)
            use.told = use.running
        return [
            [s[3] for s in segments], [s[0] for s in segments], [s[4] for s in segments],
            [s[1] for s in segments], [s[2] for s in segments],
            [u.lane.id for u in open_lanes], [u.asked for u in open_lanes],
            [u.held for u in open_lanes], [u.running for u in open_lanes],
        ]  # fmt: skip

    def took(self, claimed: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Count claimed (lane, rank)s and mirror what claim.sql did with the slots; returns (lane, rank)s never seen before."""
        counts: dict[int, int] = {}
        fresh: list[tuple[int, int]] = []
        for pair in claimed:
            counts[pair[0]] = counts.get(pair[0], 0) + 1
            if pair not in self.known:
                self.known[pair] = (0, 0)
                fresh.append(pair)
        for use in self.lanes.values():
            if use.asked == NOT_ASKED:
                continue
            taken = counts.get(use.lane.id, 0)
            use.running += taken
            # Of what it was told: the slot of a job that ended meanwhile is still written down as ours, and has to be given back.
            if use.asked == 2 or (use.asked == 1 and taken < use.held - use.told):
                use.held = use.told + taken
        return fresh

    def columns(self) -> tuple[list[int], list[int], list[int], list[int]]:
        """The positions as advance_hints.sql takes them: lanes, ranks, xids, ids."""
        pairs, places = list(self.known), list(self.known.values())
        return (
            [p[0] for p in pairs],
            [p[1] for p in pairs],
            [x[0] for x in places],
            [x[1] for x in places],
        )

    def are_of_before(self, life: Life) -> bool:
        """Whether a claim went over a connection that they were not learned over; then they are forgotten."""
        if life == self.life:
            return False
        self.life = life
        self.known = dict.fromkeys(self.known, (0, 0))
        return True

    def advance(self, rows: Iterable[tuple[int, int, int, int]]) -> None:
        """Take in what advance_hints.sql answered."""
        for lane, rank, xid, id in rows:
            self.known[lane, rank] = (xid, id)


def _gap(lane: int, low: int, high: int, one_by_one: bool) -> list[tuple[int, int, int, int, int]]:
    """The segments of ranks without a position."""
    if one_by_one:
        return [(rank, 0, 0, lane, rank) for rank in range(low, high + 1)]
    return [(low, 0, 0, lane, high)] if low <= high else []
