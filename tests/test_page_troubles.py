"""What needs attention: each sort of trouble is found, told in words, and led to where something is done about it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from bellhand.dashboard.overview import PARTS
from bellhand.dashboard.trouble import SORTS, late_lanes, late_of, slo_of, troubles
from bellhand.db import Away
from bellhand.problems import LATE, of_error

NOW = datetime(2026, 1, 31, 3, 0, tzinfo=UTC)
IDLE = [{"done": 0, "failed": 0, "again": 0, "cancelled": 0}] * PARTS
LANE = {
    "lane": "web", "paused": False, "paused_until": None, "paused_at": None, "pending": 40, "oldest_due_seconds": 1440.0, "concurrency": 2, "rate_per_second": None,
    "running": 2, "hour": IDLE,
}  # fmt: skip
BUSY = [*IDLE[1:], IDLE[0] | {"done": 3}]
# What a night of incidents leaves behind, beside a worker, a job and a kind of its own for each.
INCIDENTS = """
    insert into bellhand.kinds (name, lane) values ('shop.sync', 1), ('shop.mail', 1);
    update bellhand.kinds set timeout_seconds = 60;
    insert into bellhand.workers (id, name, host, pid, version, kinds, lanes, capacity, beat, drain_asked_at) values
      ('00000000-0000-0000-0000-000000000001', 'vm-1', 'vm-1', 1, '1', '{shop.sync,shop.mail}', '{}', 4, now() - interval '5 minutes', null),
      ('00000000-0000-0000-0000-000000000002', 'vm-2', 'vm-2', 1, '1', '{shop.sync,shop.mail}', '{}', 4, now(), now() - interval '5 hours');
    insert into bellhand.jobs (kind) values ('shop.sync'), ('shop.mail');
    delete from bellhand.queue;
    insert into bellhand.leases (worker, claimed_at, ids, epochs) select '00000000-0000-0000-0000-000000000001', now() - interval '25 minutes', array[id], array[epoch] from bellhand.jobs where kind = 'shop.sync';
    insert into bellhand.parked (id, epoch, rank, kind, reason) select id, epoch, 5, 'shop.refund', 'no_handler' from bellhand.jobs where kind = 'shop.mail';
    insert into bellhand.events (type, data) values ('worker_lost', '{"worker": "vm-3", "host": "vm-3", "pid": 7, "jobs": 3, "failed": 1}');
    insert into bellhand.failures (fingerprint, kind, error_class, message, example, jobs, first_at, last_at)
      values ('f1', 'shop.sync', 'KeyError', 'no rate', '', 30, now() - interval '20 minutes', now()), ('f2', 'shop.mail', 'Rare', 'seldom', '', 30, now() - interval '2 days', now()),
        ('f4', 'shop.mail', 'New', 'never seen', '', 5, now() - interval '9 minutes', now()), ('f3', 'shop.sync', 'Muted', 'known', '', 30, now(), now());
    update bellhand.failures set muted_until = 'infinity' where fingerprint = 'f3';
    insert into bellhand.failure_hours select fingerprint, date_trunc('hour', now(), 'UTC'), jobs from bellhand.failures;
    insert into bellhand.deploys (at, version) values (now() - interval '22 minutes', 'a1b2c3d');
    insert into bellhand.stats (minute, kind, outcome, worker, jobs, wait_seconds, run_seconds, histogram)
      select now(), k, o, gen_random_uuid(), n, 0, 0, '{}' from (values ('shop.sync', 'completed', 20), ('shop.sync', 'fail', 30), ('shop.mail', 'completed', 5000), ('shop.mail', 'fail', 30)) x(k, o, n);
    insert into bellhand.services (name, tokens, day, state, changed_at, retry_at, error, paused_until, paused_reason) values
      ('openai', 0, now(), 'open', now() - interval '17 minutes', now() + interval '95 seconds', 'HTTP 503', null, null),
      ('serpapi', 0, now(), 'closed', now(), null, null, now() + interval '9 hours', 'the searches of this month are used up'), ('stripe', 0, now(), 'closed', now(), null, null, null, null);
    insert into bellhand.canaries (lane, job, sent_at) values (1, 1, now() - interval '6 minutes');
    insert into bellhand.schedules (name, cron, kind, next_at, error) values ('nightly', '0 3 * * *', 'shop.sync', now() - interval '3 hours', 'the payload lacks month'),
      ('hourly', '0 * * * *', 'shop.mail', now() + interval '1 hour', null);
    insert into bellhand.channels (name, kind, address, failing_since, failures, last_error) values ('ops', 'webhook', 'https://ops.example/', now() - interval '1 hour', 9, 'HTTP 500');
"""


async def test_an_hour_without_incidents_needs_no_attention(conn):
    assert await conn.fetch("select * from bellhand.troubles()") == []


async def test_each_sort_of_trouble_is_found_and_told_with_where_to_go(conn):
    await conn.execute(INCIDENTS)
    rows = json.loads(await conn.fetchval("select jsonb_agg(to_jsonb(t))::text from bellhand.troubles() t"))  # fmt: skip
    assert {row["sort"] for row in rows} == set(SORTS) - {"transaction"}
    found = {one.what: one for one in troubles(rows, [])}
    bad = [one.is_bad for one in troubles(rows, [])]
    assert bad == sorted(bad, reverse=True)
    said: dict[str, tuple[str, str]] = {
        "Nobody runs shop.refund": ("1 job waits: no live worker has its handler", "/jobs?q=kind%3Ashop.refund+state%3Alive"),
        "Worker vm-1 is silent": ("The 1 job it holds will run elsewhere", "/workers"),
        "shop.sync does not end": ("1 job runs beyond the timeout, which did not stop it", "/jobs/"),
        "No pulse in lane default": ("A canary was sent and did not come back", "/lanes/default"),
        "openai is left alone": ("HTTP 503; asked again in", "/system#services-title"),
        "shop.sync fails: KeyError": ("30 of 50 that ended failed in this hour and the last, first 2 min after the deploy of a1b2c3d. It is new. no rate", "/failures/f1"),
        "shop.mail fails: New": ("5 of 5,030 that ended failed in this hour and the last, first 13 min after the deploy of a1b2c3d. It is new. never seen", "/failures/f4"),
        "Schedule nightly missed its tick": ("the payload lacks month", "/schedules"),
        "Worker vm-3 was lost": ("3 jobs it held were taken back, 1 of them failed for good", "/workers"),
        "serpapi is not called": ("the searches of this month are used up; called again in 9 h", "/system#services-title"),
        "Channel ops does not take messages": ("HTTP 500", "/runbooks/BellhandChannelFailing"),
        "Worker vm-2 is drained": ("It claims nothing: no reason was given", "/workers"),
    }  # fmt: skip
    gates = await conn.fetch("select w.gate from bellhand.jobs j cross join lateral bellhand.why(j.id) w where j.kind = 'shop.mail'")  # fmt: skip
    assert "waiting" in [row["gate"] for row in gates]
    await conn.execute("delete from bellhand.workers")
    gates = await conn.fetch("select w.gate from bellhand.jobs j cross join lateral bellhand.why(j.id) w where j.kind = 'shop.mail'")  # fmt: skip
    assert [row["gate"] for row in gates] == ["no_worker"]  # and no place, which would tell nothing
    assert set(found) == set(said)  # neither what fails seldom nor what is muted
    for what, (words, path) in said.items():
        assert words in found[what].said, found[what].said
        assert found[what].path.startswith(path)
    ages = {what: one.since and (datetime.now(UTC) - one.since).total_seconds() for what, one in found.items()}  # fmt: skip
    assert ages["serpapi is not called"] is None
    assert ages["openai is left alone"] == pytest.approx(1020, abs=60)


def test_a_database_that_is_slow_is_told_as_slow_and_not_as_away() -> None:
    slow = Away("QueryCanceledError: canceling statement due to statement timeout")
    slow.__cause__ = asyncpg.QueryCanceledError()
    told = [of_error(error) for error in (slow, Away("connection refused"), TimeoutError())]
    assert [one and one.detail for one in told] == [LATE, "connection refused", "it did not answer in time"]  # fmt: skip


async def test_a_transaction_that_holds_back_vacuum_is_told_of() -> None:
    row = {"sort": "transaction", "subject": "psql of ada", "since": NOW.isoformat(), "data": {"pid": 7}}  # fmt: skip
    (one,) = troubles([row], [])
    assert (one.since, one.said) == (NOW, "It is open in psql of ada, pid 7.")


@pytest.mark.parametrize(("more", "what", "words"), [
    ({}, "Lane web stands still", "40 wait, the oldest has been due for 24 min 0 s and may be for 15 min. All 2 of its slots are taken, and nothing of it was done in the last 10 minutes."),
    ({"hour": BUSY, "concurrency": None, "rate_per_second": 0.05}, "Lane web is late", "may be for 15 min. Its rate lets 0.05 begin a second."),
    ({"hour": BUSY, "concurrency": 1, "running": 1, "pending": 1}, "Lane web is late", "1 waits, the oldest has been due for 24 min 0 s and may be for 15 min. Its only slot is taken."),
    ({"concurrency": None, "running": 0}, "Lane web stands still", "Nothing of it runs, and nothing of it was done"),
    ({"paused": True, "pending": 100_001}, "Lane web is paused", "more than 100,000 wait, the oldest has been due for 24 min 0 s and may be for 15 min. Nothing of it begins until somebody resumes it."),
])  # fmt: skip
def test_a_lane_is_late_by_what_its_configuration_says(more: dict[str, Any], what: str, words: str):
    (one,) = late_lanes([LANE | more], slo_of({}), NOW)
    assert (one.what, one.path) == (what, "/lanes/web")
    assert words in one.said
    assert one.since == (None if "paused" in more else NOW - timedelta(seconds=540))
    assert [late_of(given) for given in ({}, {"worker": {"lease_seconds": 120.0}})] == [15, 60]
    patient = slo_of({"metrics": {"wait_slo_seconds": 60}, "lanes": {"web": {"wait_slo_seconds": 3600}, "mail": {}}})  # fmt: skip
    assert late_lanes([LANE | more], patient, NOW) == []
    assert patient("mail") == 60
