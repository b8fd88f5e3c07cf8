"""The calls of the state machine: each asks Postgres and the model, and compares."""

import asyncio
import json
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from bellhand.positions import LaneUse, Positions
from bellhand.sql import query
from bellhand.store import Lane
from model import LANE_OF, LEASE_SECONDS, NARROW_MAX, Job, Model, Refused, Row

START = datetime(2030, 1, 7, 9, tzinfo=UTC)
FRESH = """
delete from bellhand.jobs; delete from bellhand.history; delete from bellhand.queue; delete from bellhand.scheduled;
delete from bellhand.parked; delete from bellhand.leases; delete from bellhand.workers; delete from bellhand.lane_holds;
delete from bellhand.dependencies; delete from bellhand.events;
update bellhand.lanes set ranks = '{}', paused = false; update bellhand.kinds set paused = false;
select setval('bellhand.jobs_id_seq', 1, false), setseed(0.5);
"""
PICTURE = """
select json_build_object(
  'jobs', (select json_agg(json_build_array(j.id, case when r.id is null then j.state else 'running' end, j.epoch, j.attempts, j.crashes,
                                            j.stop, r.worker, extract(epoch from j.run_at - $1)::integer))
           from bellhand.jobs j left join bellhand.running r on r.id = j.id and r.epoch = j.epoch),
  'over', (select json_agg(json_build_array(id, state, epoch, attempts, crashes, partial)) from bellhand.history),
  'queue', (select json_agg(json_build_array(lane, rank, id, epoch) order by xid, id) from bellhand.queue),
  'scheduled', (select json_agg(json_build_array(extract(epoch from run_at - $1)::integer, id, epoch)) from bellhand.scheduled),
  'parked', (select json_agg(json_build_array(kind, id, epoch)) from bellhand.parked),
  'leases', (select json_agg(json_build_array(id, worker, ids, epochs)) from bellhand.leases),
  'workers', (select json_agg(id) from bellhand.workers),
  'dependencies', (select json_agg(json_build_array(parent, child)) from bellhand.dependencies))
"""


class Hand:
    """A worker: what it believes to hold, and its positions. It may have been given up without knowing."""

    def __init__(self) -> None:
        self.id = ""
        self.positions = Positions()
        self.lanes: list[Lane] = []
        self.held: list[tuple[int, int, int]] = []  # id, epoch, lease


class World:
    """The database of one test, and how often it was asked."""

    def __init__(self, dsn: str, runner: asyncio.Runner) -> None:
        # Of tens of thousands of calls: `runner.run` exchanges the handler of SIGINT at each, a third of their cost.
        self.wait = runner.get_loop().run_until_complete
        self.conn = self.wait(asyncpg.connect(dsn, timeout=10))
        self.lane_names: dict[int, str] = {}
        self.calls = self.examples = 0

    def fetch(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        self.calls += 1
        return self.wait(self.conn.fetch(sql, *args, timeout=20))

    def prepare(self) -> None:
        lane = {
            "name": "narrow",
            "concurrency": NARROW_MAX,
            "rate_per_second": None,
            "rate_burst": 1,
        }
        self.fetch(query("publish_lanes"), json.dumps([lane]))
        kinds = [
            {"name": kind, "lane": lane, "priority": 5, "attempts_max": 3}
            for kind, lane in LANE_OF.items()
        ]
        self.fetch(query("publish_kinds"), json.dumps(kinds))
        rows = self.fetch("select id, name from bellhand.lanes")
        self.lane_names = {row["id"]: row["name"] for row in rows}


class Calls(RuleBasedStateMachine):
    """Producers, operators and workers on one connection."""

    world: World

    # -- plumbing ----------------------------------------------------------------------------------

    @initialize()
    def start(self) -> None:
        world = self.world
        world.examples += 1
        world.wait(world.conn.execute(FRESH, timeout=20))
        self.model = Model()
        self.seen: dict[int, int] = {}
        self.hands = [Hand(), Hand()]
        self.now(0)
        for hand in self.hands:
            self.register(hand)

    def now(self, seconds: int) -> None:
        self.model.now = seconds
        moment = (START + timedelta(seconds=seconds)).isoformat()
        self.world.fetch("select set_config('bellhand.now', $1, false)", moment)

    def ask(self, sql: str, *args: Any) -> list[asyncpg.Record]:
        """One call: a transaction of its own, in the model too."""
        self.model.turn += 1
        return self.world.fetch(sql, *args)

    def register(self, hand: Hand) -> None:
        hand.id = str(uuid.uuid4())
        self.ask(query("register_worker"), hand.id, "w", "h", 1, "0", list(LANE_OF), [], 10)
        self.model.beats[hand.id] = self.model.now

    def picture(self) -> dict[str, Any]:
        (row,) = self.world.fetch(PICTURE, START)
        return {name: rows or [] for name, rows in json.loads(row[0]).items()}

    def queue_now(self, picture: dict[str, Any]) -> list[tuple[str, int, int, int]]:
        names = self.world.lane_names
        return [(names[lane], rank, id, epoch) for lane, rank, id, epoch in picture["queue"]]

    def all_ids(self) -> list[int]:
        return sorted([*self.model.jobs, *self.model.over])

    def held(self, live: bool) -> list[tuple[Hand, tuple[int, int, int]]]:
        """What workers hold, or believe to hold."""
        return [
            (hand, held)
            for hand in self.hands
            for held in hand.held
            if self.model.owns(hand.id, *held) == live
        ]

    def put(
        self, kind: str, priority: int, delay: int, attempts_max: int, key: str | None, parents: list[int], policy: str
    ) -> int:  # fmt: skip
        model, run_at = self.model, START + timedelta(seconds=self.model.now + delay)
        (row,) = self.ask(query("enqueue"), kind, "{}", key, run_at, priority, attempts_max, None, None, None,
                          parents, policy, None, "sql")  # fmt: skip
        holder = model.holder(kind, key)
        assert row["created"] == (holder is None), "one live job a unique key"
        if holder is not None:
            assert row["id"] == holder
            return holder
        assert row["id"] not in self.all_ids(), "a new job has a new id"
        model.insert(
            Job(
                row["id"],
                kind,
                10 - priority,
                model.now + delay,
                attempts_max,
                key,
                policy,
                set(parents),
            )
        )
        return int(row["id"])

    def take(self, hand: Hand, room: int, oldest: int = 0, look: bool = True) -> list[int]:
        positions, model = hand.positions, self.model
        oldest = min(oldest, room)
        if look or not positions.lanes:
            self.look(hand)
        if positions.known:
            positions.advance(self.ask(query("advance_hints"), *positions.columns()))  # type: ignore[arg-type]
        where = positions.where(room, oldest)
        caps = self.caps(hand, look)
        head, *rows = self.ask(query("claim"), hand.id, 0, room, oldest, *where)
        rows = [row for row in rows if row["id"] is not None]
        for lane, rank in positions.took([(row["lane"], row["rank"]) for row in rows]):
            self.ask(query("note_rank"), lane, rank)
        there = Counter(self.queue_now(self.picture()))
        taken: list[Row] = []
        for row in model.queue:
            place = (row.lane, row.rank, row.id, row.epoch)
            if there[place]:
                there[place] -= 1
            else:
                taken.append(row)
        model.judge(taken, room, oldest, caps)
        started = model.claimed(taken, hand.id)
        assert {(job.id, job.epoch, job.attempts) for job in started} == {
            (row["id"], row["epoch"], row["attempts"]) for row in rows
        }, "claimed is what stood in the queue, and nothing stale"
        if rows:
            pairs = [(row["id"], row["epoch"]) for row in rows]
            model.leases[head["lease"]] = (hand.id, pairs)
            hand.held += [(id, epoch, head["lease"]) for id, epoch in pairs]
        return [row["id"] for row in rows]

    def forget(self, hand: Hand) -> None:
        """A claim that the server forgets in a crash: its worker has the answer."""
        self.look(hand)
        where = hand.positions.where(1)
        self.world.fetch("begin")
        head, *rows = self.ask(query("claim"), hand.id, 0, 1, 0, *where)
        self.world.fetch("rollback")
        rows = [row for row in rows if row["id"] is not None]
        hand.positions.took([(row["lane"], row["rank"]) for row in rows])
        hand.held += [(row["id"], row["epoch"], head["lease"]) for row in rows]

    def look(self, hand: Hand) -> None:
        (row,) = self.ask(query("look_around"), [], 0)
        lanes = [
            Lane(**{**lane, "ranks": tuple(lane["ranks"])}) for lane in json.loads(row["lanes"])
        ]
        hand.positions.update(lanes)

    def caps(self, hand: Hand, looked: bool) -> dict[str, int]:
        """What each lane may give this worker now, from its own use and what others hold."""
        if hand.id not in self.model.beats:
            return dict.fromkeys(LANE_OF.values(), 0)
        caps = {}
        holds = self.world.fetch("select lane, worker::text, slots from bellhand.lane_holds")
        for id, use in hand.positions.lanes.items():
            name = self.world.lane_names[id]
            cap = 99
            if use.lane.concurrency is not None:
                others = sum(
                    h["slots"] for h in holds if h["lane"] == id and h["worker"] != hand.id
                )
                mine = sum(h["slots"] for h in holds if h["lane"] == id and h["worker"] == hand.id)
                if use.asked == 2:
                    cap = use.lane.concurrency - others - use.running
                    if name in self.model.lanes_paused:
                        cap = 0
                else:
                    cap = min(use.held, mine) - use.running
            shut = name in self.model.lanes_paused if looked else use.lane.paused
            caps[name] = 0 if shut else max(0, cap)
        return caps

    def use_of(self, hand: Hand, id: int) -> LaneUse:
        """What a worker believes to use of a job's lane."""
        job = self.model.jobs.get(id) or self.model.over[id]
        return next(use for use in hand.positions.lanes.values() if use.lane.name == job.lane)

    def let_go(self, hand: Hand, held: tuple[int, int, int]) -> list[int]:
        """The worker is through with a job; the lease, when it was the last of it."""
        hand.held.remove(held)
        self.use_of(hand, held[0]).running -= 1
        if any(h[2] == held[2] for h in hand.held):
            return []
        if self.model.leases.get(held[2], ("", []))[0] == hand.id:
            del self.model.leases[held[2]]
        return [held[2]]

    def settle_completed(
        self, some: list[tuple[Hand, tuple[int, int, int]]], partial: bool
    ) -> None:
        for hand in self.hands:
            own = [held for who, held in some if who is hand]
            if not own:
                continue
            ours = [held[0] for held in own if self.model.owns(hand.id, *held)]
            came_with = list({lease for _, _, lease in own})
            ended = [lease for held in own for lease in self.let_go(hand, held)]
            n = len(own)
            (row,) = self.ask(
                query("settle_completed"), hand.id, came_with, [held[0] for held in own], [held[1] for held in own],
                [partial] * n, [None] * n, [None] * n, [1.0] * n, ended,
            )  # fmt: skip
            accepted = {held[0] for held in own} - set(row[0] or ())
            assert accepted == self.model.complete(ours, partial=partial)

    def settle_other(self, hand: Hand, held: tuple[int, int, int], outcome: str, wait: int) -> None:
        id, epoch, lease = held
        ours = self.model.owns(hand.id, *held)
        ended = self.let_go(hand, held)
        rows = self.ask(
            query("settle_others"), hand.id, [lease], [id], [epoch], [outcome], [float(wait)], ["why"], [None], [1.0], ended
        )  # fmt: skip
        expected = self.model.end(id, outcome, wait) if ours else None
        assert (rows[0]["outcome"] if rows else None) == expected

    def beat_of(self, hand: Hand) -> None:
        model = self.model
        ids, epochs, leases = ([held[n] for held in hand.held] for n in range(3))
        rows = self.ask(query("beat"), hand.id, 0, False, float(LEASE_SECONDS))
        said = self.ask(query("stops"), hand.id, ids, epochs, leases)
        if hand.id not in model.beats:
            assert not rows, "it was given up"
            for use in hand.positions.lanes.values():
                use.held = 0
            self.register(hand)
            return
        model.beats[hand.id] = model.now
        silent = any(beat < model.now - LEASE_SECONDS for beat in model.beats.values())
        stops = [
            (held[0], held[1], model.jobs[held[0]].stop if model.owns(hand.id, *held) else "lost")
            for held in hand.held
            if not model.owns(hand.id, *held) or model.jobs[held[0]].stop
        ]
        assert rows[0]["said"] == ("rescue" if silent else "ok")
        assert Counter(map(tuple, said)) == Counter(stops)
        assert (rows[0]["quiet_seconds"] < 0) == silent

    def tell_one(self, id: int, what: str) -> str | None:
        expected: str | None
        try:
            self.model.turn += 1
            expected = getattr(self.model, what)(id)
        except Refused:
            expected = None
        said: str | None = None
        refusal = ""
        try:
            said = str(self.world.fetch(f"select bellhand.{what}($1)", id)[0][0])
        except asyncpg.PostgresError as error:
            refusal = str(error.sqlstate)
        assert (said, refusal) == (expected, "" if expected else "BH007"), what
        return said

    # -- what must always hold ---------------------------------------------------------------------

    @invariant()
    def same(self) -> None:
        if not hasattr(self, "model"):
            return
        model, picture = self.model, self.picture()
        jobs = {
            j.id: [j.id, j.state, j.epoch, j.attempts, j.crashes, j.stop, j.worker, j.run_at]
            for j in model.jobs.values()
        }
        over = {
            j.id: [j.id, j.state, j.epoch, j.attempts, j.crashes, j.partial]
            for j in model.over.values()
        }
        assert {row[0]: row for row in picture["jobs"]} == jobs, "no job lost, invented or changed"
        assert {row[0]: row for row in picture["over"]} == over, "what is over stays as it ended"
        assert len(picture["jobs"]) + len(picture["over"]) == len(jobs) + len(over)
        for id, epoch in [(row[0], row[2]) for row in picture["jobs"] + picture["over"]]:
            assert epoch >= self.seen.get(id, 0), "an epoch never goes back"
            self.seen[id] = epoch
        self.places_agree(picture)
        assert {tuple(pair) for pair in picture["dependencies"]} == {
            (parent, job.id) for job in model.jobs.values() for parent in job.parents
        }
        assert model.running("narrow") <= NARROW_MAX, "the lane's limit"

    def places_agree(self, picture: dict[str, Any]) -> None:
        """Every pending job stands in exactly one place, every running one in exactly one lease."""
        model = self.model
        rows = sorted(model.queue, key=lambda row: row.age)
        queue = self.queue_now(picture)
        assert queue == [(row.lane, row.rank, row.id, row.epoch) for row in rows], (
            "order of arrival"
        )
        assert Counter(map(tuple, picture["scheduled"])) == Counter(model.scheduled)
        assert Counter(map(tuple, picture["parked"])) == Counter(model.parked)
        places = Counter(
            [(id, epoch) for _, _, id, epoch in queue]
            + [(id, epoch) for _, id, epoch in picture["scheduled"] + picture["parked"]]
        )
        leased = Counter(
            pair
            for _, _, ids, epochs in picture["leases"]
            for pair in zip(ids, epochs, strict=True)
        )
        for id, state, epoch, *_ in picture["jobs"]:
            assert places[id, epoch] == (state == "pending") or state in ("paused", "blocked"), (
                f"job {id}, {state}"
            )
            assert leased[id, epoch] == (state == "running"), f"job {id}, {state}"
        assert {
            id: (worker, sorted(zip(ids, epochs, strict=True)))
            for id, worker, ids, epochs in picture["leases"]
        } == {id: (worker, sorted(pairs)) for id, (worker, pairs) in model.leases.items()}, "leases"
        assert set(picture["workers"]) == set(model.beats)
