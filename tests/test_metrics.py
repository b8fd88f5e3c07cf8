"""Metrics: right from the first scrape, bounded whatever happens, and cheap."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from bellhand.gauges import LANES_MAX, REASONS
from bellhand.job_counts import FOUND_MAX
from bellhand.metrics import Metrics, Now

SERIES_MAX = 5700  # 50 kinds of 10 lanes


def scrape(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return scrape(metrics).get((name, frozenset(labels.items())))


def small() -> Metrics:
    return Metrics({"a.run": "web", "b.run": "default"}, version="1.2.3")


def test_every_known_series_is_there_at_the_first_scrape() -> None:
    metrics = small()
    for kind, lane in (("a.run", "web"), ("b.run", "default"), ("other", "other")):
        of = {"kind": kind, "lane": lane}
        for outcome in ("completed", "partial", "failed", "cancelled"):
            assert value(metrics, "bellhand_jobs_finished_total", outcome=outcome, **of) == 0
        assert value(metrics, "bellhand_job_wait_seconds_count", **of) == 0
    assert value(metrics, "bellhand_wakeups_total", source="poll") == 0
    assert value(metrics, "bellhand_lane_jobs", lane="web", state="pending") == 0
    assert value(metrics, "bellhand_build_info", version="1.2.3") == 1


def test_an_attempt_counts_as_what_it_was() -> None:
    metrics = small()
    for outcome in ("completed", "partial", "retry", "fail", "cancel", "snooze", "park"):
        metrics.settled("a.run", outcome, [0.02], [3.0])
    of = {"kind": "a.run", "lane": "web"}
    finished = {"completed": 1, "partial": 1, "failed": 1, "cancelled": 1}
    for outcome, count in finished.items():
        assert value(metrics, "bellhand_jobs_finished_total", outcome=outcome, **of) == count
    for result, count in {"ok": 2, "retry": 1, "failed": 1, "cancelled": 1, "snoozed": 1}.items():
        assert value(metrics, "bellhand_job_attempts_total", result=result, **of) == count
    runs = {"outcome": "completed", **of}
    assert value(metrics, "bellhand_job_run_seconds_bucket", le="1.0", **runs) == 0
    assert value(metrics, "bellhand_job_run_seconds_bucket", le="5.0", **runs) == 2
    assert value(metrics, "bellhand_job_run_seconds_bucket", le="+Inf", **runs) == 2
    assert value(metrics, "bellhand_job_run_seconds_sum", **runs) == 6
    assert value(metrics, "bellhand_job_wait_seconds_bucket", le="0.01", **of) == 0
    assert value(metrics, "bellhand_job_wait_seconds_bucket", le="0.025", **of) == 6, (
        "no parked one"
    )


def test_a_timeout_is_told_from_an_error_whether_or_not_the_job_is_tried_again() -> None:
    metrics = small()
    metrics.settled("a.run", "retry", [0.0], [9.0], timed_out=True)
    metrics.settled("a.run", "fail", [0.0], [9.0], timed_out=True)
    of = {"kind": "a.run", "lane": "web"}
    for result, count in {"timeout": 2, "retry": 0, "failed": 0}.items():
        assert value(metrics, "bellhand_job_attempts_total", result=result, **of) == count
    assert value(metrics, "bellhand_jobs_finished_total", outcome="failed", **of) == 1
    assert value(metrics, "bellhand_job_run_seconds_count", outcome="failed", **of) == 2


def test_a_bucket_includes_its_bound() -> None:
    metrics = small()
    metrics.settled("a.run", "completed", [0.005], [0.0])
    of = {"kind": "a.run", "lane": "web"}
    assert value(metrics, "bellhand_job_wait_seconds_bucket", le="0.005", **of) == 1


def test_posts_of_webhooks_and_channels_are_counted() -> None:
    metrics = Metrics({"notify.webhook": "notify"}, version="0")
    metrics.settled("notify.webhook", "completed", [0.0, 0.0], [0.1, 0.1])
    metrics.settled("notify.webhook", "retry", [0.0], [0.1])
    metrics.set_channels({"ok": 3, "disabled": 1})
    for result, posts in (("ok", 2), ("retry", 1), ("failed", 0)):
        assert value(metrics, "bellhand_webhook_deliveries_total", result=result) == posts
    for state, channels in (("ok", 3), ("failing", 0), ("disabled", 1)):
        assert value(metrics, "bellhand_channels", state=state) == channels


def test_the_rest_is_told_by_its_own_words() -> None:
    metrics = small()
    metrics.claimed(7)
    metrics.observe_claim(0.003)
    metrics.wakeup("notify")
    metrics.rescued("worker_lost", 4)
    metrics.abandoned("a.run")
    metrics.stale_result("nobody.knows")
    metrics.step_finished("a.run", "failed", 0.2)
    metrics.step_finished("a.run", "failed", 700.0)
    metrics.schedule_missed("nightly", 0)
    metrics.schedule_missed("hourly", 3)
    metrics.answered("/v1/jobs/{job}", "GET", 404, 0.02)
    metrics.answered("none", "BREW", 404, 0.02)
    metrics.answered("/v1/events", "GET", 200, None)
    metrics.watch(lambda: Now(64, 3, 5, 1))
    metrics.logged("warning")
    metrics.set_db_up(True)
    metrics.set_listen_up(True)
    metrics.set_draining(True)
    assert value(metrics, "bellhand_claimed_jobs_total") == 7
    assert value(metrics, "bellhand_claim_seconds_count") == 1
    assert value(metrics, "bellhand_wakeups_total", source="notify") == 1
    assert value(metrics, "bellhand_jobs_rescued_total", reason="worker_lost") == 4
    assert value(metrics, "bellhand_handlers_abandoned_total", kind="a.run") == 1
    assert value(metrics, "bellhand_stale_results_total", kind="other") == 1
    of = {"kind": "a.run", "lane": "web", "outcome": "failed"}
    assert value(metrics, "bellhand_steps_finished_total", **of) == 2
    assert value(metrics, "bellhand_log_messages_total", level="warning") == 1
    for name in ("db_up", "listen_up", "draining"):
        assert value(metrics, f"bellhand_{name}") == 1
    assert value(metrics, "bellhand_worker_slots_busy") == 3
    assert value(metrics, "bellhand_db_connections") == 5
    assert value(metrics, "bellhand_db_reconnects_total") == 1
    steps = "bellhand_step_run_seconds_bucket"
    assert value(metrics, steps, kind="a.run", le="0.25") == 1
    assert value(metrics, steps, kind="a.run", le="600.0") == 1
    assert value(metrics, steps, kind="a.run", le="+Inf") == 2
    assert value(metrics, "bellhand_schedule_missed_total", schedule="nightly") == 0
    assert value(metrics, "bellhand_schedule_missed_total", schedule="hourly") == 3
    told = {"route": "/v1/jobs/{job}", "method": "GET", "code": "404"}
    assert value(metrics, "bellhand_http_requests_total", **told) == 1
    assert value(metrics, "bellhand_http_request_seconds_count", method="GET") == 1, "no stream"
    told = {"route": "none", "method": "other", "code": "404"}
    assert value(metrics, "bellhand_http_requests_total", **told) == 1


def test_what_jobs_count_is_told_by_kind_s0_34() -> None:
    metrics = small()
    metrics.found("a.run", {"leads_found": 20, "cost": 0.5, "lost": -3})
    metrics.found("a.run", {"leads_found": 11})
    metrics.found("a.run", {"ada@example.com": 1})
    found = "bellhand_results_total"
    assert value(metrics, found, kind="a.run", result="leads_found") == 31
    assert value(metrics, found, kind="a.run", result="cost") == 0.5
    assert value(metrics, found, kind="a.run", result="lost") is None, "a counter never falls"
    assert value(metrics, found, kind="other", result="other") == 1, "no address is a label"


def lane(name: str, **what: Any) -> dict[str, Any]:
    return {"lane": name} | what


def test_lanes_are_shown_as_last_sampled() -> None:
    metrics = small()
    metrics.sampled.slo_seconds = {"web": 60.0, "old": 900.0, "other": 900.0}.__getitem__
    web = lane(
        "web", pending=5, running=2, oldest_due_seconds=9.5, paused=True, step_seconds=31.0,
        step_limit_seconds=30.0, pace_per_second=2.5, parked_by_reason='{"no_handler": 4}', blocked=1,
    )  # fmt: skip
    metrics.sampled.set_lanes([web, lane("old", pending=1, oldest_due_seconds=None)], 1e9)
    shown = {
        "oldest_due_seconds": 9.5, "paused": 1, "oldest_running_step_seconds": 31, "step_timeout_seconds": 30,
        "drain_seconds": 2, "wait_slo_seconds": 60, "concurrency_limit": 0,
    }  # fmt: skip
    for name, wanted in shown.items():
        assert value(metrics, f"bellhand_lane_{name}", lane="web") == wanted
    states = {"pending": 5, "running": 2, "scheduled": 0, "parked": 0, "blocked": 1}
    for state, count in states.items():
        assert value(metrics, "bellhand_lane_jobs", lane="web", state=state) == count
    reasons = dict.fromkeys(REASONS, 0) | {"no_handler": 4, "dependency": 1, "lane_paused": 5}
    for reason, count in reasons.items():
        assert value(metrics, "bellhand_lane_unclaimable_jobs", lane="web", reason=reason) == count
    assert value(metrics, "bellhand_lane_oldest_due_seconds", lane="old") == 0
    assert value(metrics, "bellhand_lane_drain_seconds", lane="old") == float("inf")
    assert value(metrics, "bellhand_stats_sample_timestamp_seconds") == 1e9
    assert value(metrics, "bellhand_canary_waiting_seconds", lane="web") is None
    metrics.sampled.set_lanes([web], 1e9 + 15)
    assert value(metrics, "bellhand_lane_jobs", lane="old", state="pending") is None


def test_series_stay_bounded_whatever_comes() -> None:
    metrics = Metrics({f"f.kind{n}": f"lane{n % 10}" for n in range(50)}, version="1")
    before = len(scrape(metrics))
    assert before <= SERIES_MAX
    for n in range(5000):
        metrics.settled(f"unheard.of{n}", "fail", [1.0], [1.0])
        metrics.abandoned(f"unheard.of{n}")
        metrics.stale_result(f"unheard.of{n}")
        metrics.step_finished(f"unheard.of{n}", "completed", 1.0)
        metrics.logged(f"level{n}")
    assert len(scrape(metrics)) == before
    other = {"kind": "other", "lane": "other", "outcome": "failed"}
    assert value(metrics, "bellhand_jobs_finished_total", **other) == 5000
    for n in range(1000):
        metrics.found("f.kind1", {f"word{n}": 1})
    assert len(scrape(metrics)) == before + FOUND_MAX + 1
    lanes = [lane(f"lane{n}") for n in range(5000)]
    metrics.sampled.set_lanes(lanes, 0)
    assert len(scrape(metrics)) <= before + FOUND_MAX + 1 + 18 * (LANES_MAX + 1)


def test_two_daemons_in_one_process_count_apart() -> None:
    one, two = small(), small()
    one.claimed(1)
    assert value(two, "bellhand_claimed_jobs_total") == 0
