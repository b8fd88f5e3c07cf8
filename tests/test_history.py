"""The history checker: good histories pass, and for every invariant there are bad ones that it must reject."""

from collections.abc import Callable

import pytest

from faults.invariants import INVARIANTS
from histories import (
    W2,
    Story,
    a_key_is_free_again,
    a_younger_one_leaves_unclaimed,
    an_older_one,
    cancelled,
    cancelled_in_time,
    claimed_while_it_was_being_cancelled,
    counted_wrong,
    crash_of_the_server_undid_a_claim,
    failed_as_expected,
    isolated_run_knows_no_epoch,
    its_worker_was_killed,
    killed,
    killed_in_a_handler_that_writes_nothing_down,
    one_after_the_other_in_the_limited_lane,
    passed,
    passed_by_the_second_of_three,
    progress_of_an_earlier_attempt,
    rescue_and_settle_that_cross,
    retried,
    retried_by_hand,
    settled_by_its_own_transaction_then_killed,
    started_after_its_lease_was_lost,
    started_while_it_was_being_cancelled,
    taken_over,
    the_older_one_was_not_yet_acknowledged,
    third_run_overlaps_the_first,
    two_at_once_in_the_limited_lane,
    undone_by_a_crash_before_it_started,
    undone_without_a_crash,
)

GOOD: dict[str, Callable[[], Story]] = {
    "all attempts used": failed_as_expected,
    "its own transaction, and it failed": lambda: failed_as_expected(settles=True),
    "a crash undid a claim before the start": undone_by_a_crash_before_it_started,
    "claimed while it was being cancelled": claimed_while_it_was_being_cancelled,
    "over before its worker was killed": lambda: its_worker_was_killed("after"),
    "its last statement was on its way": lambda: its_worker_was_killed("settling"),
    "counts of one that was killed": lambda: killed(13.5).final(counted=0),
    "an older one is blocked": lambda: an_older_one("blocked"),
    "the older one's answer got lost": lambda: an_older_one(res="info"),
    "a younger one leaves unclaimed": a_younger_one_leaves_unclaimed,
    "nobody's job is not told of": lambda: (
        Story()
        .ran(1)
        .hook(1)
        .transaction()
        .db(2, "pending", "I", token=None)
        .claimed(2, 1)
        .started(2, 1)
        .stopped(2, 1)
        .over(2)
        .final()
    ),
    "a key is free again": a_key_is_free_again,
    "one after the other in the limited lane": one_after_the_other_in_the_limited_lane,
    "started while it was being cancelled": started_while_it_was_being_cancelled,
    "a cancel that was refused": lambda: (
        Story().client(1, "fail", f="cancel", answer=None).ran(1).final()
    ),
    "counts after a daemon that failed": lambda: counted_wrong("born", "death", code=1),
    "completed in part": lambda: Story().ran(1).put("metrics", finished={"partial": 1}).final(),
    "one job": lambda: Story().ran(1).put("metrics", finished={"completed": 1}).final(),
    "info is absent": lambda: Story().client(1, "info"),
    "rolled back": lambda: Story().client(1, "fail"),
    "a zombie after the lease": lambda: taken_over(14.0, 14.5),
    "started after its lease was lost": started_after_its_lease_was_lost,
    "abandoned and stubborn": lambda: taken_over(11.0, 14.5, stubborn=True),
    "cancelled in time": cancelled_in_time,
    "retried by hand": retried_by_hand,
    "settled by its own transaction": settled_by_its_own_transaction_then_killed,
    "a rescue and a settle that cross": rescue_and_settle_that_cross,
    "a crash undid a claim": crash_of_the_server_undid_a_claim,
    "progress of an earlier attempt": progress_of_an_earlier_attempt,
    "isolated": isolated_run_knows_no_epoch,
    "an older one that matters less waits": lambda: passed(4, 15.0),
    "an older one was locked for a moment": lambda: passed(10, 13.9),
    "an older one waits in another lane": lambda: passed(10, 15.0, lane=2),
    "an older one is not due": lambda: passed(10, 15.0, due=False),
    "told, and told again": lambda: (
        Story().ran(1).hook(1, answer="503").hook(1, answer="lost").hook(1).final()
    ),
    "nobody asked": lambda: Story().ran(1).final(),
    "a handler that writes nothing down": killed_in_a_handler_that_writes_nothing_down,
    "the older one was not yet acknowledged": the_older_one_was_not_yet_acknowledged,
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_is_valid(name: str) -> None:
    verdict = GOOD[name]().verdict()
    assert verdict["valid"], verdict["violations"]


# -- bad ones: what must be found, in what


BAD: dict[str, tuple[str, Callable[[], Story]]] = {
    "I1 acked, never there": ("lost_job", lambda: Story().ran(1).client(2)),
    "I1 rolled back, yet there": ("phantom_job", lambda: Story().client(1, "fail").db(1, "pending", "I")),
    "I1 a taken key, yet there": ("phantom_job", lambda: Story().client(1, "dup").db(1, "pending", "I")),
    "I1 one commit, two jobs": ("double_enqueue", lambda: Story().ran(1).db(2, "pending", "I", token="T1")),
    "I1 out of nowhere": ("unexpected_job", lambda: Story().db(1, "pending", "I")),
    "I1 a torn line": ("torn_witness", lambda: Story().put("torn", f="torn")),
    "I1 it should have completed": ("wrong_end", lambda: Story().inserted(1).transaction().db(1, "pending", "D").db(1, "failed", "I", "history")),
    "I1 nobody cancelled it": ("wrong_end", lambda: Story().inserted(1).transaction().db(1, "pending", "D").db(1, "cancelled", "I", "history")),
    "I1 cancelled, and it failed": ("wrong_end", lambda: Story().inserted(1).client(1, f="cancel", answer="cancelled").over(1, "failed")),
    "I2 an undone claim, the server was restarted": ("double_run_inside_lease", lambda: undone_without_a_crash(20.5, server="restart")),
    "I2 an undone claim, a crash long before": ("double_run_inside_lease", lambda: undone_without_a_crash(10, server="crash")),
    "I1 refused to cancel, and cancelled": ("wrong_end", lambda: cancelled("fail")),
    "I2 the third overlaps the first": ("double_run_inside_lease", third_run_overlaps_the_first),
    "I2 inside the lease": ("double_run_inside_lease", lambda: taken_over(12.0, 12.5)),
    "I2 the claim still stands": ("double_run_inside_lease", lambda: Story().inserted(1).claimed(1, 1).started(1, 1).at(11).started(1, 2, W2)),
    "I2 an undone claim without a crash": ("double_run_inside_lease", lambda: Story().inserted(1).started(1, 1).at(11).claimed(1, 2, W2).started(1, 2, W2)),
    "I3 the epoch falls": ("epoch_went_back", lambda: Story().inserted(1).back(1, 5).back(1, 4)),
    "I3 two claims of one epoch": ("epoch_claimed_twice", lambda: Story().inserted(1).claimed(1, 1).back(1, 2).claimed(1, 1)),
    "I3 a claim of another epoch": ("claimed_at_another_epoch", lambda: Story().inserted(1).claimed(1, 2)),
    "I3 two runs of one epoch": ("epoch_run_twice", lambda: Story().ran(1).started(1, 1, W2)),
    "I4 over, and changed": ("terminal_changed", lambda: Story().ran(1).transaction().db(1, "completed", "D", "history").db(1, "pending", "I")),
    "I4 over, and over in another way": ("terminal_changed", lambda: Story().ran(1).transaction().db(1, "failed", "U", "history")),
    "I4 a retry that ends it again": ("settled_twice", lambda: Story().ran(1).client(1, f="retry").transaction().db(1, "completed", "D", "history").db(1, "failed", "I", "history")),
    "I4 refused to retry, and retried": ("terminal_changed", lambda: retried("fail")),
    "I4 over twice": ("settled_twice", lambda: Story().ran(1).transaction().db(1, "failed", "I", "history")),
    "I4 from pending to completed": ("illegal_transition", lambda: Story().inserted(1).transaction().db(1, "pending", "D").db(1, "completed", "I", "history")),
    "I4 claimed, and claimed again": ("claimed_while_leased", lambda: Story().inserted(1).claimed(1, 1).claimed(1, 2, W2)),
    "I4 the lease goes, the job is nowhere": ("left_without_lease", lambda: Story().inserted(1).claimed(1, 1).transaction().lease("D", 1, 1)),
    "I4 the lease goes before the job is over": ("left_without_lease", lambda: Story().inserted(1).claimed(1, 1).transaction().lease("D", 1, 1).at(11).over(1)),
    "I4 from paused to running": ("illegal_transition", lambda: Story().inserted(1).db(1, "paused").claimed(1, 1)),
    "I4 over, and still there": ("in_two_places", lambda: Story().inserted(1).claimed(1, 1).db(1, "completed", "I", "history")),
    "I5 one key, two live jobs": ("key_twice", lambda: Story().inserted(1, key="a").inserted(2, key="a")),
    "I6 too many attempts": ("attempts_over_max", lambda: Story().inserted(1, attempts=4)),
    "I6 two attempts for one": ("attempts_jumped", lambda: Story().inserted(1).claimed(1, 1).back(1, 2, attempts=2)),
    "I6 an attempt taken back": ("attempts_jumped", lambda: Story().inserted(1).claimed(1, 1).back(1, 2, attempts=1).back(1, 3, attempts=0)),
    "I7 progress falls": ("progress_back", lambda: Story().inserted(1).claimed(1, 1).db(1, "pending", done=5).db(1, "pending", done=4)),
    "I8 a lesser one that came later goes first": ("passed_over", lambda: passed(10, 15.0)),
    "I8 one that came later goes first": ("passed_over", lambda: passed(5, 15.0)),
    "I8 a lesser one that came later goes first, the other never": ("passed_over", lambda: Story().inserted(1, priority=6).at(11).ran(2)),
    "I8 the second of three goes first": ("passed_over", passed_by_the_second_of_three),
    "I9 one tick, two jobs": ("tick_twice", lambda: Story().inserted(1, schedule="s", tick="12:00").inserted(2, schedule="s", tick="12:00")),
    "I10 it never ends": ("not_drained", lambda: Story().inserted(1)),
    "I11 completed, never run": ("completed_without_run", lambda: Story().inserted(1).claimed(1, 1).over(1)),
    "I11 completed, but it failed": ("completed_without_run", lambda: Story().inserted(1).claimed(1, 1).started(1, 1).stopped(1, 1, out="err").over(1)),
    "I11 completed before it ended": ("completed_without_run", lambda: Story().inserted(1).claimed(1, 1).started(1, 1).over(1).at(11).stopped(1, 1)),
    "I11 completed at another epoch": ("completed_without_run", lambda: Story().inserted(1).claimed(1, 1).started(1, 1).stopped(1, 1).back(1, 2).claimed(1, 2).over(1)),
    "I12 two at once where one may": ("lane_over_limit", two_at_once_in_the_limited_lane),
    "I13 two effects": ("effect_twice", lambda: Story().ran(1, settles=True).put("effect", job=1, epoch=1, n=2)),
    "I13 no effect": ("effect_missing", lambda: Story().ran(1, settles=True)),
    "I13 an effect of a lost attempt": ("effect_without_completion", lambda: Story().ran(1, settles=True).put("effect", job=1, epoch=7, n=1)),
    "I14 started after it was cancelled": ("started_after_cancel", lambda: Story().inserted(1).client(1, f="cancel", answer="cancelled").at(11).started(1, 1)),
    "I14 claimed after it was cancelled": ("claimed_after_cancel", lambda: Story().inserted(1).client(1, f="cancel", answer="cancelling").at(11).claimed(1, 1)),
    "I15 counts that are not true": ("counts_differ", lambda: Story().ran(1).final(counted=2)),
    "I15 counts that are not true after a calm run": ("counts_differ", lambda: counted_wrong("born", "term", "death")),
    "I15 metrics that are not true": ("metrics_differ", lambda: Story().ran(1).put("metrics", finished={"completed": 0, "failed": 1})),
    "I16 vanished": ("vanished", lambda: Story().inserted(1).transaction().db(1, "pending", "D")),
    "I16 vanished from history": ("vanished", lambda: Story().ran(1).transaction().db(1, "completed", "D", "history")),
    "I16 moved in two transactions": ("vanished", lambda: Story().inserted(1).claimed(1, 1).transaction().db(1, "pending", "D").transaction().db(1, "completed", "I", "history")),
    "I16 more inserted than there are": ("not_conserved", lambda: Story().ran(1).final(over=0)),
    "I17 a lease of nobody": ("dead_leases", lambda: Story().ran(1).final(dead_leases=1)),
    "I17 a slot of nobody": ("dead_slots", lambda: Story().ran(1).final(dead_slots=1)),
    "I17 never run again": ("never_recovered", lambda: killed(None)),
    "I17 started by the lost one alone": ("never_recovered", lambda: its_worker_was_killed("zombie")),
    "I17 retried, lost, and never run again": ("never_recovered", lambda: its_worker_was_killed("retried")),
    "I17 run again too late": ("recovered_late", lambda: killed(50.0)),
    "I18 an end that nobody was told of": ("not_told", lambda: Story().ran(1).ran(2).hook(1)),
    "I18 an end that was refused, and not told again": ("not_told", lambda: Story().ran(1).hook(1, answer="503")),
    "I18 an end whose answer got lost, and not told again": ("not_told", lambda: Story().ran(1).hook(1, answer="lost")),
    "I18 told of an end that never was": ("told_of_no_end", lambda: Story().ran(1).hook(1).hook(1, "n", state="failed")),
    "I18 told of an end before it was": ("told_of_no_end", lambda: Story().hook(1).ran(1)),
    "I18 told under two names": ("told_under_two_ids", lambda: Story().ran(1).hook(1, "m").hook(1, "n")),
    "I18 two ends told under one name": ("two_told_under_one_id", lambda: Story().ran(1).ran(2).hook(1, message="m").hook(2, message="m")),
    "I18 told by somebody who cannot sign": ("told_unsigned", lambda: Story().ran(1).hook(1).hook(1, signed=False)),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_rejected(name: str) -> None:
    wanted, make = BAD[name]
    verdict = make().verdict()
    assert not verdict["valid"]
    assert wanted in verdict["counts"], verdict["counts"]


def test_every_breach_has_a_bad_history() -> None:
    """The names are read off the checker itself, so that a new one cannot be forgotten here."""
    import ast
    import inspect

    def names(node: ast.AST) -> set[str]:
        found = set()
        for part in ast.walk(node):
            if isinstance(part, ast.Yield) and isinstance(part.value, ast.Tuple):
                found.add(part.value.elts[0])
            if isinstance(part, ast.YieldFrom) and isinstance(part.value, ast.GeneratorExp):
                assert isinstance(part.value.elt, ast.Tuple)
                found.add(part.value.elt.elts[0])
        return {constant.value for constant in found if isinstance(constant, ast.Constant)}

    known = set()
    for function in INVARIANTS:
        known |= names(ast.parse(inspect.getsource(function)))
    known |= {"dead_leases", "dead_slots"}  # these two by a loop
    assert known == {wanted for wanted, _ in BAD.values()}


def test_figures_say_how_long_recovery_took_and_how_far_runs_overlapped() -> None:
    figures = killed(13.5).verdict()["figures"]
    assert (figures["recoveries"], figures["recovery_max_s"], figures["reruns"]) == (1, 3.5, 1)
    assert (figures["zombies"], figures["lost"], figures["settled_twice"]) == (0, 0, 0)
    figures = its_worker_was_killed("given up").verdict()["figures"]
    assert (figures["recoveries"], figures["recovery_max_s"]) == (1, 3.5)
    assert its_worker_was_killed("settling").verdict()["figures"]["recoveries"] == 0
    assert BAD["I1 acked, never there"][1]().verdict()["figures"]["lost"] == 1
    assert BAD["I4 over twice"][1]().verdict()["figures"]["settled_twice"] == 1
    figures = taken_over(14.0, 14.5).verdict()["figures"]
    assert (figures["zombies"], figures["overlap_max_s"], figures["abandoned"]) == (1, 0.5, 0)
    figures = taken_over(11.0, 12.0, stubborn=True).verdict()["figures"]
    assert (figures["zombies"], figures["abandoned"]) == (0, 1)
    assert crash_of_the_server_undid_a_claim().verdict()["figures"]["undone"] == 0
    both = Story().client(1, "info").client(2, "info").db(2, "pending", "I").verdict()["figures"]
    assert (both["indeterminate"], both["recovered"]) == (2, 1)


def test_judging_takes_time_in_proportion() -> None:
    """Ten thousand jobs in a few seconds, or a soak could not be judged."""
    story = Story()
    for job in range(10_000):
        story.ran(job)
    verdict = story.final().verdict(shuffled=False)
    assert verdict["valid"]
    assert verdict["figures"]["completed"] == 10_000
