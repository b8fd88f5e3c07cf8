"""Corners of the history checker that a mutant of it lived in (`make mutants`): what tells the two apart, one history each."""

from collections.abc import Callable

import pytest

from faults.figures import percentile
from faults.history import LIST_MAX
from histories import (
    W1,
    W2,
    Story,
    failed_as_expected,
    killed,
    passed,
    started_after_its_lease_was_lost,
    taken_over,
    third_run_overlaps_the_first,
)
from histories_of_crashes import between_two_claims, undone_and_claimed_by_two


def again(story: Story, epoch: int, at: float, worker: str = W2) -> Story:
    """Job 1 is placed anew, claimed and run, and completes a second later."""
    story.at(at).back(1, epoch, attempts=epoch - 1).claimed(1, epoch, worker).started(1, epoch, worker)  # fmt: skip
    return story.at(at + 1).stopped(1, epoch, worker).over(1)


def taken_over_later(*beats: float, at: float) -> Story:
    """As taken_over, after some beats more."""
    story = Story().inserted(1).claimed(1, 1).started(1, 1)
    for beat in beats:
        story.at(beat).worker("U", W1)
    story.at(at - 0.1).rescued(1, W1, 2).claimed(1, 2, W2).at(at).started(1, 2, W2)
    story.at(at + 1).stopped(1, 2, W2).over(1)
    return story.at(at + 0.5).stopped(1, 1).at(at + 1).final()


def second_overlapped_by_the_third() -> Story:
    story = Story().inserted(1).claimed(1, 1).started(1, 1).at(11).stopped(1, 1, out="err")
    story.back(1, 2, attempts=1).claimed(1, 2, W2).started(1, 2, W2).at(12)
    story.back(1, 3, attempts=2).claimed(1, 3).started(1, 3).at(12.5).stopped(1, 2, W2)
    return story.at(13).stopped(1, 3).over(1).final()


def without_settings(story: Story) -> Story:
    del story.events[0]
    return story


def with_settings(story: Story, **settings: object) -> Story:
    story.events[0] |= settings
    return story


def killed_many_times(again_at: float) -> Story:
    """The process was gone with the first signal."""
    story = killed(again_at)
    for at in range(11, 19):
        story.at(at).put("nemesis", f="kill", pid=101, gone=101)
    return story


def rescue_and_settle_that_cross_twice() -> Story:
    """The settle's first change comes before the rescue's last one, and its last one after."""
    story = Story().inserted(1).claimed(1, 1).started(1, 1).at(10.5).stopped(1, 1)
    story.transaction().lease("D", 1, 1)
    rescue = story.xid
    story.transaction().at(11).db(1, "pending", "D")
    settle = story.xid
    story.xid = rescue
    story.worker("D", W1)
    story.xid = settle
    story.db(1, "completed", "I", "history")
    story.xid += 1
    return story.final()


def isolated(dies_at: float, seen_until: float) -> Story:
    """A handler in a process of its own, whose daemon is killed; another daemon takes the job over at 13.5 s."""
    story = Story().inserted(1).claimed(1, 1)
    story.put("handler", f="start", job=1, epoch=None, pid=555, daemon=101, kind="k", lane="default", token="T1")  # fmt: skip
    story.at(dies_at).put("nemesis", f="death", pid=101)
    story.at(seen_until).put("handler", f="sign", job=1, epoch=None, pid=555)
    story.at(13.4).rescued(1, W1, 2).claimed(1, 2, W2).at(13.5).started(1, 2, W2)
    return story.at(20).stopped(1, 2, W2).over(1).final()


def isolated_twice() -> Story:
    story = Story().inserted(1)
    for epoch in (1, 2):
        story.claimed(1, epoch).handler("start", 1, None, daemon=101)  # type: ignore[arg-type]
        story.at(10 + epoch).handler("stop", 1, None, out="ok" if epoch == 2 else "err")  # type: ignore[arg-type]
        if epoch == 1:
            story.back(1, 2, attempts=1)
    return story.over(1).final()


def isolated_and_undone() -> Story:
    story = Story().inserted(1)
    story.handler("start", 1, None, daemon=101).at(10.5)  # type: ignore[arg-type]
    story.put("nemesis", f="server_crash", server="crash").put("nemesis", f="death", pid=101)
    story.at(11).claimed(1, 1, W2).started(1, 1, W2).at(12).stopped(1, 1, W2)
    return story.over(1).final()


def its_lease_goes(when: str) -> Story:
    story = Story().inserted(1).claimed(1, 1).started(1, 1).at(11).stopped(1, 1)
    if when == "placed anew":
        story.back(1, 2).lease("D", 1, 1)
        return story.claimed(1, 2).started(1, 2).at(12).stopped(1, 2).over(1).final()
    story.over(1)
    if when == "later":
        story.at(12).transaction()
    return story.lease("D", 1, 1).final()


def completed_retried_and_completed(**final: int) -> Story:
    story = Story().ran(1).client(1, f="retry").transaction().db(1, "completed", "D", "history")
    story.db(1, "pending", "I", attempts=0, epoch=2).claimed(1, 2).started(1, 2)
    return story.at(14).stopped(1, 2).over(1).final(**{"counted": 2} | final)


def told_of_both(*ids: str) -> Story:
    story = completed_retried_and_completed()
    for id in ids:
        story.hook(1, id)
    return story


def cancelled_retried_and_run() -> Story:
    story = Story().inserted(1).client(1, f="cancel", answer="cancelled").transaction()
    story.db(1, "pending", "D").db(1, "cancelled", "I", "history").at(11).client(1, f="retry")
    story.transaction().db(1, "cancelled", "D", "history").db(1, "pending", "I", epoch=2)
    return story.claimed(1, 2).started(1, 2).at(12).stopped(1, 2).over(1).final()


def steps_of_progress(*done: float | None) -> Story:
    """What an earlier attempt left, then what this one says."""
    story = Story().inserted(1).claimed(1, 1).started(1, 1).db(1, "pending", done=done[0])
    story.at(11).stopped(1, 1, out="err").back(1, 2, attempts=1).claimed(1, 2).started(1, 2)
    for value in done[1:]:
        story.db(1, "pending", done=value)
    return story.at(12).stopped(1, 2).over(1).final()


def a_limited_run_goes_on_after_it_was_lost() -> Story:
    story = Story().inserted(1).inserted(2).claimed(1, 1).started(1, 1, lane="limited")
    story.at(13.4).rescued(1, W1, 2).at(13.5).claimed(2, 1, W2).started(2, 1, W2, lane="limited")
    story.at(14).stopped(2, 1, W2).over(2).at(15).stopped(1, 1)
    return again(story, 3, 16).final()


def a_limited_run_starts_after_it_was_lost() -> Story:
    story = started_after_its_lease_was_lost()
    for event in story.events:
        if event.get("f") == "start" and event["epoch"] == 1:
            event["lane"] = "limited"
    story.events.pop()
    return story.at(16).ran(2, lane="limited").final()


def a_limited_run_was_undone() -> Story:
    story = Story().inserted(1).started(1, 1, lane="limited").at(10.5).stopped(1, 1)
    story.put("nemesis", f="server_crash", server="crash")
    story.at(11).claimed(1, 1, W2).started(1, 1, W2).at(12).stopped(1, 1, W2)
    return story.over(1).final()


def one_and_then_two_in_the_limited_lane() -> Story:
    story = Story().ran(1, lane="limited").at(13)
    for job in (2, 3):
        story.inserted(job).claimed(job, 1).started(job, 1, lane="limited")
    story.at(14)
    for job in (2, 3):
        story.stopped(job, 1).over(job)
    return story.final()


def handed_back_before_its_worker_was_killed() -> Story:
    story = Story().inserted(1).claimed(1, 1).started(1, 1).at(11).stopped(1, 1, out="err")
    story.back(1, 2, attempts=1).at(12).put("nemesis", f="kill", pid=101, gone=101)
    story.put("nemesis", f="death", pid=101).at(60).claimed(1, 2, W2).started(1, 2, W2)
    return story.at(61).stopped(1, 2, W2).over(1).final()


def line(*left: tuple[str, float], **acknowledged: float) -> Story:
    """Jobs that come a second apart: each is claimed (`claim`) or cancelled (`leave`) at a time."""
    story = Story()
    for job, _ in enumerate(left, 1):
        story.at(9.0 + job).inserted(job)
        story.events[-2]["t1"] = acknowledged.get(f"job{job}", story.t)
    for at, job, how in sorted((at, job, how) for job, (how, at) in enumerate(left, 1)):
        story.at(at)
        if how == "claim":
            story.claimed(job, 1, W2).started(job, 1, W2).stopped(job, 1, W2).over(job)
        else:
            story.client(job, f="cancel", answer="cancelled").over(job, "cancelled")
    return story.final()


def two_runs_in_one_daemon() -> Story:
    """The first one ignored being stopped, was given up, and ends while the second one runs."""
    story = Story().inserted(1).claimed(1, 1).started(1, 1, stubborn=True).at(11)
    story.back(1, 2, attempts=1).claimed(1, 2).started(1, 2).at(12).stopped(1, 1, out="err")
    return story.at(13).stopped(1, 2).over(1).final()


def a_limited_run_had_no_claim() -> Story:
    story = Story().inserted(1).started(1, 1, lane="limited").at(10.5).stopped(1, 1)
    story.put("nemesis", f="server_crash", server="crash").at(11).back(1, 2).claimed(1, 2, W2)
    return story.started(1, 2, W2).at(12).stopped(1, 2, W2).over(1).final()


def two_limited_runs_while_one_that_was_lost_has_not_begun() -> Story:
    story = a_limited_run_starts_after_it_was_lost().at(13.6)
    for job in (3, 4):
        story.inserted(job).claimed(job, 1).started(job, 1, lane="limited")
    story.at(13.9)
    for job in (3, 4):
        story.stopped(job, 1).over(job)
    return story


def back_after_its_old_lease_went() -> Story:
    story = Story().inserted(1).claimed(1, 1).back(1, 2).claimed(1, 2).db(1, "pending", done=5.0)
    return story.transaction().lease("D", 1, 1).transaction().db(1, "pending", done=4.0)


def passed_and_cancelled_later() -> Story:
    story = passed(10, 15.0).at(14.5)
    for _ in range(8):
        story.client(1, f="cancel", answer="cancelling")
    return story


def with_expectation(expect: str, story: Story) -> Story:
    next(event for event in story.events if event["src"] == "client")["expect"] = expect
    return story


GOOD: dict[str, Callable[[], Story]] = {
    "beats make the lease last, until they end": lambda: taken_over_later(10.5, 10.6, 10.7, 10.8, 10.9, 11.0, 11.1, at=14.3),
    "taken over as the lease ran out, by another clock": lambda: taken_over(13.07, 13.5),
    "without settings the lease is one of 30 s": lambda: without_settings(taken_over(40.2, 40.5)),
    "a rescue and a settle that cross twice": rescue_and_settle_that_cross_twice,
    "isolated, and run again": isolated_twice,
    "isolated, and its claim undone": isolated_and_undone,
    "the clock jumps between two claims": lambda: between_two_claims("clock"),
    "a crash between a run and the first claim that is left": lambda: undone_and_claimed_by_two(11.5),
    "its lease goes with it": lambda: its_lease_goes("with it"),
    "its lease goes later, with that of others": lambda: its_lease_goes("later"),
    "its lease goes as it is placed anew": lambda: its_lease_goes("placed anew"),
    "anything may become of it": lambda: with_expectation("any", failed_as_expected()),
    "it fails, as expected, and no cancel was taken": lambda: failed_as_expected().client(1, "fail", f="cancel", answer=None),
    "completed, retried and completed again": completed_retried_and_completed,
    "told of both ends under two ids": lambda: told_of_both("a", "b"),
    "cancelled, retried by hand and run": cancelled_retried_and_run,
    "progress is forgotten": lambda: steps_of_progress(None, 5.0, None, 6.0),
    "two runs of one job in one daemon": two_runs_in_one_daemon,
    "a handler ends whose start nobody wrote down": lambda: Story().ran(1).stopped(1, 7).final(),
    "a limited run that had no claim": a_limited_run_had_no_claim,
    "one tick, one job": lambda: Story().inserted(1, schedule="s", tick="12:00").claimed(1, 1).started(1, 1).at(11).stopped(1, 1).over(1).final(),
    "a limited run that was lost holds no slot": a_limited_run_goes_on_after_it_was_lost,
    "a limited run that was lost before it began holds none": a_limited_run_starts_after_it_was_lost,
    "a limited run whose claim was undone": a_limited_run_was_undone,
    "handed back before its worker was killed": handed_back_before_its_worker_was_killed,
    "this play may take a minute": lambda: with_settings(killed(50.0), recovery_seconds_max=60.0),
    "this play locks for long": lambda: with_settings(passed(10, 15.0), locked_seconds_max=5.0),
    "all in order": lambda: line(*(("claim", 20.0 + n) for n in range(9))),
}  # fmt: skip

BAD: dict[str, tuple[str, Callable[[], Story]]] = {
    "I2 in the lease that the last beat gave": ("double_run_inside_lease", lambda: taken_over_later(10.5, 11.0, 11.5, 12.0, 12.5, 13.0, at=15.9)),
    "I2 a crash between two claims that are both there": ("double_run_inside_lease", lambda: between_two_claims("crash")),
    "I2 no crash, and the claim is another's": ("double_run_inside_lease", lambda: undone_and_claimed_by_two(7.5)),
    "I2 the third overlaps the second": ("double_run_inside_lease", second_overlapped_by_the_third),
    "I2 without settings the lease is one of 30 s": ("double_run_inside_lease", lambda: without_settings(taken_over(14.0, 14.5))),
    "I6 two attempts for one, at its end": ("attempts_jumped", lambda: Story().inserted(1).claimed(1, 1).over(1, "failed", attempts=2)),
    "I7 back to what an earlier attempt left": ("progress_back", lambda: steps_of_progress(2.0, 5.0, 2.0)),
    "I8 one waits, another leaves, the next goes first": ("passed_over", lambda: line(("claim", 30.0), ("leave", 11.5), ("claim", 14.0))),
    "I8 one leaves, another waits, the next goes first": ("passed_over", lambda: line(("leave", 11.5), ("claim", 30.0), ("claim", 14.0))),
    "I8 behind one that was acknowledged late": ("passed_over", lambda: line(("claim", 40.0), ("claim", 30.0), ("claim", 14.0), job1=35.0)),
    "I8 the fourth waits": ("passed_over", lambda: line(*(("claim", 50.0 if n == 3 else 20.0 + n) for n in range(9)))),
    "I8 a cancel that was asked for later": ("passed_over", passed_and_cancelled_later),
    "I10 a lease of a job that never was": ("not_drained", lambda: Story().claimed(1, 1)),
    "I7 back after its old lease went": ("progress_back", back_after_its_old_lease_went),
    "I12 two at once while a lost one has not begun": ("lane_over_limit", two_limited_runs_while_one_that_was_lost_has_not_begun),
    "I12 one, and then two at once": ("lane_over_limit", one_and_then_two_in_the_limited_lane),
    "I15 counts that are not true after a calm run that was healed": ("counts_differ", lambda: Story().ran(1).put("nemesis", f="healed").final(counted=2)),
    "I15 counts of a job that completed twice": ("counts_differ", lambda: completed_retried_and_completed(counted=3)),
    "I17 killed, and killed again when it was gone": ("recovered_late", lambda: killed_many_times(46.0)),
    "I18 two ends told under three ids": ("told_under_two_ids", lambda: told_of_both("a", "b", "c")),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_is_valid(name: str) -> None:
    verdict = GOOD[name]().verdict()
    assert verdict["valid"], verdict["violations"]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_rejected(name: str) -> None:
    wanted, make = BAD[name]
    counts = make().verdict()["counts"]
    assert wanted in counts, counts


OVER = ("completed", "failed", "cancelled")
MAY: dict[str, set[str]] = {
    "pending": {"pending", "running", "paused", "blocked", "failed", "cancelled"},
    "blocked": {"blocked", "pending", "paused", "failed", "cancelled"},
    "paused": {"paused", "pending", "blocked", "failed", "cancelled"},
    "running": {"running", "pending", "paused", "completed", "failed", "cancelled"},
}


@pytest.mark.parametrize("before", MAY)
@pytest.mark.parametrize("after", [*MAY, *OVER])
def test_a_step_is_legal_or_not(before: str, after: str) -> None:
    story = Story().inserted(1)
    if before == "running":
        story.claimed(1, 1)
    elif before != "pending":
        story.db(1, before)
    if after == "running":
        story.db(1, "running") if before == "running" else story.claimed(1, 1)
    elif after in OVER:
        story.over(1, after)
    elif before == "running":
        story.transaction().db(1, after, epoch=2)
    else:
        story.db(1, after)
    assert ("illegal_transition" in story.verdict()["counts"]) is (after not in MAY[before])


def test_a_job_begins_waiting() -> None:
    for state in ("pending", "blocked", "paused", "running", *OVER):
        story = Story().client(1).transaction().db(1, state, "I")
        illegal = "illegal_transition" in story.verdict()["counts"]
        assert illegal is (state not in ("pending", "blocked"))


def test_the_figures_of_a_rich_history_are_all_told() -> None:
    story = taken_over(14.0, 14.5).client(1, f="cancel", res="fail", answer=None)
    story.at(20).client(2, "info").at(21).inserted(3).claimed(3, 1, W2).started(3, 1, W2)
    story.at(22).stopped(3, 1, W2, out="err").back(3, 2, attempts=1).claimed(3, 2, W2)
    story.started(3, 2, W2).at(23).stopped(3, 2, W2).over(3).inserted(4).over(4, "cancelled")
    story.inserted(5).over(5, "failed")
    assert story.verdict()["figures"] == {
        "attempted": 5, "acked": 4, "indeterminate": 1, "recovered": 0, "jobs": 4, "completed": 2, "failed": 1, "cancelled": 1,
        "runs": 4, "reruns": 1, "zombies": 1, "abandoned": 0, "undone": 0, "overlap_max_s": 0.5, "refused": 1, "recoveries": 0,
        "settled_twice": 0, "lost": 0,
    }  # fmt: skip
    assert taken_over(14.0, 13.8).verdict()["figures"]["refused"] == 0
    assert third_run_overlaps_the_first().verdict()["figures"]["refused"] == 0
    late = Story().inserted(1).claimed(1, 1).started(1, 1).at(11).over(1).at(12).stopped(1, 1)
    for story in (started_after_its_lease_was_lost(), late):
        assert story.verdict()["figures"]["refused"] == 0
    never = Story().inserted(1).claimed(1, 1).started(1, 1).at(13.5).rescued(1, W1, 2)
    figures = never.claimed(1, 2, W2).started(1, 2, W2).verdict()["figures"]
    assert (figures["zombies"], figures["overlap_max_s"]) == (1, 0.0)
    thrice = Story().inserted(1)
    for epoch in (1, 2):
        thrice.claimed(1, epoch).started(1, epoch).stopped(1, epoch, out="err").back(1, epoch + 1)
    thrice.claimed(1, 3).started(1, 3).stopped(1, 3).over(1)
    assert thrice.verdict()["figures"]["reruns"] == 0, "it ran again because it failed"
    assert between_two_claims("clock").verdict()["figures"]["undone"] == 1
    assert undone_and_claimed_by_two(11.5).verdict()["figures"]["undone"] == 1
    found = isolated(11.0, 14.0).verdict()["figures"]
    assert (found["zombies"], found["overlap_max_s"]) == (1, 0.5)
    assert isolated(11.0, 11.5).verdict()["figures"]["zombies"] == 0


def test_recoveries_are_told_from_the_quickest_to_the_slowest() -> None:
    story = Story()
    for job in range(1, 201):
        story.inserted(job).claimed(job, 1).started(job, 1)
    story.put("nemesis", f="kill", pid=101, gone=101).put("nemesis", f="death", pid=101)
    for job in range(200, 0, -1):
        story.at(20 + (201 - job) / 10).rescued(job, W1, 2).claimed(job, 2, W2).started(job, 2, W2)
    figures = story.verdict()["figures"]
    names = ("recoveries", "recovery_p50_s", "recovery_p99_s", "recovery_max_s")
    assert [figures[name] for name in names] == [200, 20.1, 29.9, 30.0]
    assert [percentile([3.0, 1.0, 2.0], share) for share in (0.0, 0.5, 1.0)] == [1.0, 2.0, 3.0]


def test_of_many_breaches_some_are_shown_and_all_are_counted() -> None:
    story = Story()
    for job in range(LIST_MAX + 3):
        story.client(job)
    verdict = story.verdict()
    assert verdict["counts"] == {"lost_job": LIST_MAX + 3}
    assert len(verdict["violations"]["lost_job"]) == LIST_MAX == 5
