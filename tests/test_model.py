"""The SQL functions against a model, in random order, with the clock moved by hand; and broken versions of them, each of
which must be found out. A state machine that never caught a mutant proves nothing."""

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from bellhand.sql import query
from machine import Calls, Hand, World
from model import CRASHES_MAX, LANE_OF, LEASE_SECONDS
from mutants import MUTANTS, apply

pytestmark = pytest.mark.timeout(240)  # each of tens of thousands of calls waits for its turn
EXAMPLES = 150  # the same for all: what the correct version survives, a broken one must not


class Machine(Calls):
    """Producers, operators, workers and the keeper in random order, one call a step."""

    # -- producers ---------------------------------------------------------------------------------

    @rule(
        kind=st.sampled_from(["a", "a", "b"]), priority=st.sampled_from([1, 5, 5, 10]), delay=st.sampled_from([0, 0, 0, 4, 30]),
        attempts_max=st.integers(1, 3), key=st.sampled_from([None, None, "k"]),
    )  # fmt: skip
    def enqueue(
        self, kind: str, priority: int, delay: int, attempts_max: int, key: str | None
    ) -> None:
        self.put(kind, priority, delay, attempts_max, key, [], "cancel")

    @precondition(lambda self: self.all_ids())
    @rule(
        some=st.lists(st.integers(0, 30), min_size=1, max_size=2),
        policy=st.sampled_from(["cancel", "fail", "release"]),
    )
    def enqueue_child(self, some: list[int], policy: str) -> None:
        ids = self.all_ids()
        self.put("a", 5, 0, 3, None, sorted({ids[-1 - n % len(ids)] for n in some}), policy)

    # -- workers -----------------------------------------------------------------------------------

    @rule(
        who=st.integers(0, 1), room=st.sampled_from([1, 2, 3, 8]), oldest=st.sampled_from([0, 0, 1, 2]),
        look=st.booleans(),
    )  # fmt: skip
    def claim(self, who: int, room: int, oldest: int, look: bool) -> None:
        self.take(self.hands[who], room, oldest, look)

    @precondition(lambda self: self.held(True))
    @rule(n=st.integers(0, 20), many=st.integers(1, 3), partial=st.booleans())
    def complete(self, n: int, many: int, partial: bool) -> None:
        some = self.held(True)
        self.settle_completed(
            [some[(n + i) % len(some)] for i in range(min(many, len(some)))], partial
        )

    @precondition(lambda self: self.held(True))
    @rule(n=st.integers(0, 20), outcome=st.sampled_from(["boom", "boom", "snooze", "release", "fail", "cancel", "park", "pause"]),
          wait=st.sampled_from([0, 3, 20]))  # fmt: skip
    def end(self, n: int, outcome: str, wait: int) -> None:
        some = self.held(True)
        hand, held = some[n % len(some)]
        job = self.model.jobs[held[0]]
        if outcome == "boom":
            outcome = "retry" if job.attempts + 1 < job.attempts_max else "fail"
        if job.stop == "pause" and outcome == "snooze":
            outcome = "pause"
        self.settle_other(hand, held, outcome, wait)

    @precondition(lambda self: self.held(False))
    @rule(n=st.integers(0, 20), outcome=st.sampled_from(["completed", "retry", "fail"]))
    def late_word(self, n: int, outcome: str) -> None:
        """A zombie says how its attempt ended: nobody may listen."""
        some = self.held(False)
        hand, held = some[n % len(some)]
        if outcome == "completed":
            self.settle_completed([(hand, held)], False)
        else:
            self.settle_other(hand, held, outcome, 0)

    @rule(who=st.integers(0, 1))
    def beat(self, who: int) -> None:
        self.beat_of(self.hands[who])

    @rule(who=st.integers(0, 1))
    def retire(self, who: int) -> None:
        """It drains and leaves, holding what would not end in time; another takes its place."""
        hand = self.hands[who]
        if hand.id in self.model.beats:
            (row,) = self.ask(query("retire_worker"), hand.id)
            assert row[0] == self.model.retire(hand.id)
            self.hands[who] = Hand()
            self.register(self.hands[who])

    # -- the keeper --------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 4, LEASE_SECONDS + 1, 40]))
    def time_passes(self, seconds: int) -> None:
        self.now(self.model.now + seconds)

    @rule()
    def promote(self) -> None:
        (row,) = self.ask(query("promote"), 1000, None)
        assert row["moved"] == self.model.promote()

    @rule()
    def rescue(self) -> None:
        rows = self.ask(query("rescue"), float(LEASE_SECONDS), CRASHES_MAX, None)
        assert {
            str(row["worker"]): (row["jobs"], row["failed"]) for row in rows
        } == self.model.rescue()

    @rule()
    def rescue_orphans(self) -> None:
        (row,) = self.ask(query("rescue_orphans"), CRASHES_MAX)
        assert row[0] == self.model.rescue_orphans()

    @rule(who=st.integers(0, 1))
    def given_up_in_mid_claim(self, who: int) -> None:
        """A claim commits just after its worker was given up: its lease names nobody."""
        hand = self.hands[who]
        self.take(hand, 3)
        for table, column in (("workers", "id"), ("lane_holds", "worker")):
            self.world.fetch(f"delete from bellhand.{table} where {column} = $1", hand.id)
        self.model.beats.pop(hand.id, None)

    @rule()
    def unpark(self) -> None:
        (row,) = self.ask("select bellhand.unpark($1, 1000)", list(LANE_OF))
        assert row[0] == self.model.unpark(LANE_OF)

    # -- operators ---------------------------------------------------------------------------------

    @precondition(lambda self: self.all_ids())
    @rule(
        n=st.integers(0, 30),
        what=st.sampled_from(["cancel", "pause", "resume", "retry", "run_now"]),
    )
    def tell(self, n: int, what: str) -> None:
        ids = self.all_ids()
        self.tell_one(ids[n % len(ids)], what)

    @precondition(lambda self: self.model.over)
    @rule(n=st.integers(0, 30))
    def retry(self, n: int) -> None:
        over = sorted(self.model.over)
        self.tell_one(over[n % len(over)], "retry")

    @precondition(lambda self: self.held(True))
    @rule(n=st.integers(0, 30), what=st.sampled_from(["cancel", "pause", "resume"]))
    def tell_running(self, n: int, what: str) -> None:
        some = self.held(True)
        self.tell_one(some[n % len(some)][1][0], what)

    @rule(lane=st.sampled_from(["default", "narrow"]), pause=st.booleans())
    def lane(self, lane: str, pause: bool) -> None:
        self.ask(f"select bellhand.{'pause' if pause else 'resume'}_lane($1)", lane)
        (self.model.lanes_paused.add if pause else self.model.lanes_paused.discard)(lane)

    @rule(kind=st.sampled_from(sorted(LANE_OF)), pause=st.booleans())
    def kind(self, kind: str, pause: bool) -> None:
        (row,) = self.ask(f"select bellhand.{'pause' if pause else 'resume'}_kind($1)", kind)
        (self.model.kinds_paused.add if pause else self.model.kinds_paused.discard)(kind)
        if not pause:
            assert row[0] == self.model.unpark([kind])

    # -- stories that chance would take long to tell -----------------------------------------------

    @rule(who=st.integers(0, 1), outcome=st.sampled_from(["completed", "retry"]))
    def lost_found_and_late(self, who: int, outcome: str) -> None:
        """A worker goes silent, its job starts elsewhere, and then it says how it ended."""
        lost, other = self.hands[who], self.hands[1 - who]
        id = self.started(lost, "a")
        self.now(self.model.now + LEASE_SECONDS + 1)
        self.beat_of(other)
        self.rescue()
        self.promote()
        self.take(other, 8)
        self.same()
        for held in [held for held in lost.held if held[0] == id]:
            if outcome == "completed":
                self.settle_completed([(lost, held)], False)
            else:
                self.settle_other(lost, held, outcome, 0)

    @rule(
        who=st.integers(0, 1),
        story=st.sampled_from(
            ["cancel retry", "cancel snooze", "pause retry", "pause pause", "resume pause"]
        ),
    )
    def asked_to_stop(self, who: int, story: str) -> None:
        """An operator asks a running job to stop (and may take it back), and its attempt ends somehow."""
        what, outcome = story.split()
        hand = self.hands[who]
        id = self.started(hand, "a")
        self.tell_one(id, what.replace("resume", "pause"))
        self.beat_of(hand)
        if what == "resume":
            self.tell_one(id, what)
        for held in [held for held in hand.held if held[0] == id]:
            self.settle_other(hand, held, outcome, 0)
            if what == "cancel":
                self.same()
                self.tell_one(id, "retry")

    @rule(where=st.sampled_from(["queue", "scheduled", "parked"]), what=st.sampled_from(["cancel", "pause", "run_now"]))  # fmt: skip
    def taken_out(self, where: str, what: str) -> None:
        """An operator tells a job something, wherever it waits: nothing of it stays there."""
        hand = self.hands[0]
        if where == "parked":
            id = self.started(hand, "a")
            for held in [h for h in hand.held if h[0] == id and self.model.owns(hand.id, *h)]:
                self.settle_other(hand, held, "park", 0)
        else:
            id = self.put("a", 5, 30 if where == "scheduled" else 0, 3, None, [], "cancel")
        self.tell_one(id, what)

    @rule(who=st.integers(0, 1), outcome=st.sampled_from(["completed", "retry"]))
    def said_twice(self, who: int, outcome: str) -> None:
        """The answer to a settle is lost and it is said again, when the job runs elsewhere and the lease lives on."""
        hand, other = self.hands[who], self.hands[1 - who]
        self.beat_of(hand)
        self.beat_of(other)
        self.lane("default", False)
        for _ in range(2):
            self.put("a", 10, 0, 3, None, [], "cancel")
        self.take(hand, 8)
        last = hand.held[-1:] if len({held[2] for held in hand.held[-2:]}) == 1 else []
        for held in [held for held in last if self.model.owns(hand.id, *held)]:
            self.settle_other(hand, held, "release", 0)
            self.take(other, 20)
            hand.held.append(held)
            self.use_of(hand, held[0]).running += 1
            if outcome == "completed":
                self.settle_completed([(hand, held)], False)
            else:
                self.settle_other(hand, held, "retry", 0)

    @rule(who=st.integers(0, 1), outcome=st.sampled_from(["completed", "retry", "beat"]))
    def claim_forgotten(self, who: int, outcome: str) -> None:
        """The server crashes before a claim is durable: its worker runs what another one claims at the same epoch."""
        hand, other = self.hands[who], self.hands[1 - who]
        self.beat_of(hand)
        self.beat_of(other)
        self.lane("default", False)
        self.put("a", 10, 0, 3, None, [], "cancel")
        self.forget(hand)
        self.take(other, 20)
        self.same()
        if outcome == "beat":
            self.beat_of(hand)
        for held in [held for held in hand.held if not self.model.owns(hand.id, *held)]:
            if outcome == "completed":
                self.settle_completed([(hand, held)], False)
            else:
                self.settle_other(hand, held, "retry", 0)

    @rule(who=st.integers(0, 1), kind=st.sampled_from(["a", "b"]))
    def shut_and_asked(self, who: int, kind: str) -> None:
        """A lane is paused with jobs in it. A worker takes none of it once it has heard; slots of a limited
        lane are not given even before that."""
        for hand, held in self.held(True):
            self.settle_completed([(hand, held)], False)
        self.put(kind, 5, 0, 3, None, [], "cancel")
        self.look(self.hands[who])
        self.lane(LANE_OF[kind], True)
        self.take(self.hands[who], 8, look=kind == "a")
        self.same()
        self.lane(LANE_OF[kind], False)

    @rule(who=st.integers(0, 1))
    def given_up_with_a_full_lane(self, who: int) -> None:
        """A worker fills a lane, is given up and registers anew while its old jobs still run here."""
        hand, other = self.hands[who], self.hands[1 - who]
        self.full_lane(who)
        self.now(self.model.now + LEASE_SECONDS + 1)
        self.beat_of(other)
        self.rescue()
        self.beat_of(hand)
        self.full_lane(1 - who)
        some = self.held(False)
        for some_hand, held in some[:1]:
            self.settle_completed([(some_hand, held)], False)
        self.take(hand, 8)

    def started(self, hand: Hand, kind: str) -> int:
        """A job that this worker has just claimed, if it can."""
        self.lane(LANE_OF[kind], False)
        id = self.put(kind, 10, 0, 3, None, [], "cancel")
        self.take(hand, 20)
        self.same()
        return id

    @rule(kind=st.sampled_from(["a", "b"]))
    def one_key_twice(self, kind: str) -> None:
        """Two that want the same: the second is told of the first."""
        for _ in range(2):
            self.put(kind, 5, 0, 3, "k", [], "cancel")

    @rule(early=st.integers(1, 4))
    def not_before_its_time(self, early: int) -> None:
        """The keeper looks some seconds before a job is due, and when it is."""
        self.put("a", 10, 4, 3, None, [], "cancel")
        self.now(self.model.now + 4 - early)
        self.promote()
        self.take(self.hands[0], 20)
        self.now(self.model.now + early)
        self.promote()

    @rule(kind=st.sampled_from(["a", "b"]))
    def paused_resumed_and_retrying(self, kind: str) -> None:
        """A job is paused, resumed, fails and waits: nothing it left behind on the way may start it."""
        id = self.put(kind, 10, 0, 3, None, [], "cancel")
        self.tell_one(id, "pause")
        self.tell_one(id, "resume")
        hand = self.hands[0]
        self.take(hand, 1)
        self.same()
        for held in [h for h in hand.held if h[0] == id and self.model.owns(hand.id, *h)]:
            self.settle_other(hand, held, "retry", 20)
        self.take(hand, 8)

    @rule(who=st.integers(0, 1))
    def full_lane(self, who: int) -> None:
        """More than a narrow lane may give, at several priorities."""
        for priority in (10, 5, 1):
            self.put("b", priority, 0, 3, None, [], "cancel")
        self.take(self.hands[who], 8, oldest=3)
        self.same()
        self.take(self.hands[1 - who], 8)

    def teardown(self) -> None:
        """Let everything go that somebody holds, and work until nothing is left: no job may be stuck."""
        if not hasattr(self, "model") or sys.exc_info()[0] is not None:
            return
        for lane in list(self.model.lanes_paused):
            self.lane(lane, False)
        for kind in list(self.model.kinds_paused):
            self.kind(kind, False)
        for hand in self.hands:
            self.beat_of(hand)
        for _ in range(len(self.all_ids()) + 3):
            for job in [job.id for job in self.model.jobs.values() if job.state == "paused"]:
                self.tell_one(job, "resume")
            for hand, held in [*self.held(True), *self.held(False)]:
                self.settle_completed([(hand, held)], False)
            if not self.model.jobs:
                break
            self.now(self.model.now + 60)
            self.rescue_orphans()
            for hand in self.hands:
                self.beat_of(hand)
            self.unpark()
            self.promote()
            for hand in self.hands:
                self.take(hand, 20)
        self.same()
        assert not self.model.jobs, f"stuck: {self.model.jobs}"


@pytest.fixture
def world(dsn: str) -> Iterator[World]:
    with asyncio.Runner() as runner:
        made = World(dsn, runner)
        made.prepare()
        yield made
        made.wait(made.conn.close(timeout=5))


def play(world: World, *phases: Phase) -> None:
    gc.collect()  # what earlier tests left behind must not be finalized while sources are parsed
    machine = type("MachineHere", (Machine,), {"world": world})
    given = settings(
        max_examples=EXAMPLES, stateful_step_count=25, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck), phases=phases, print_blob=False,
    )  # fmt: skip
    run_state_machine_as_test(machine, settings=given)


def test_the_sql_does_what_the_model_says(world: World) -> None:
    play(world, Phase.generate, Phase.shrink)


@pytest.mark.slow  # once is enough: what is broken on purpose is broken on every version
@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_a_broken_version_is_found_out(name: str, world: World, record_property: Callable[[str, object], None]) -> None:  # fmt: skip
    apply(MUTANTS[name], lambda sql: world.wait(world.conn.execute(sql)))
    with pytest.raises((AssertionError, asyncpg.PostgresError, BaseExceptionGroup)):
        play(world, Phase.generate)
    record_property("examples", world.examples)
    print(f"{name}: found out after {world.examples} examples, {world.calls} calls")
