"""Metrics: right from the first scrape, bounded whatever happens, and cheap."""

from prometheus_client.parser import text_string_to_metric_families

from bellhand.metrics import LANES_MAX, Metrics

SERIES_MAX = 4500  # 50 kinds of 10 lanes


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
    metrics.step_finished("a.run", "failed", 2)
    metrics.logged("warning")
    metrics.set_slots(64, 3)
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


def test_lanes_are_shown_as_last_sampled() -> None:
    metrics = small()
    row = {"lane": "web", "pending": 5, "running": 2, "oldest_due_seconds": 9.5, "paused": True}
    metrics.set_lanes([row, {"lane": "old", "pending": 1, "oldest_due_seconds": None}], 1e9)
    assert value(metrics, "bellhand_lane_jobs", lane="web", state="pending") == 5
    assert value(metrics, "bellhand_lane_jobs", lane="web", state="running") == 2
    assert value(metrics, "bellhand_lane_oldest_due_seconds", lane="web") == 9.5
    assert value(metrics, "bellhand_lane_oldest_due_seconds", lane="old") == 0
    assert value(metrics, "bellhand_lane_paused", lane="web") == 1
    assert value(metrics, "bellhand_stats_sample_timestamp_seconds") == 1e9
    metrics.set_lanes([row], 1e9 + 15)
    assert value(metrics, "bellhand_lane_jobs", lane="old", state="pending") is None


def test_series_stay_bounded_whatever_comes() -> None:
    metrics = Metrics({f"f.kind{n}": f"lane{n % 10}" for n in range(50)}, version="1")
    before = len(scrape(metrics))
    assert before <= SERIES_MAX
    for n in range(5000):
        metrics.settled(f"unheard.of{n}", "fail", [1.0], [1.0])
        metrics.abandoned(f"unheard.of{n}")
        metrics.stale_result(f"unheard.of{n}")
        metrics.step_finished(f"unheard.of{n}", "completed")
        metrics.logged(f"level{n}")
    assert len(scrape(metrics)) == before
    other = {"kind": "other", "lane": "other", "outcome": "failed"}
    assert value(metrics, "bellhand_jobs_finished_total", **other) == 5000
    metrics.set_lanes([{"lane": f"lane{n}"} for n in range(5000)], 0)
    assert len(scrape(metrics)) <= before + 7 * LANES_MAX


def test_two_daemons_in_one_process_count_apart() -> None:
    one, two = small(), small()
    one.claimed(1)
    assert value(two, "bellhand_claimed_jobs_total") == 0
