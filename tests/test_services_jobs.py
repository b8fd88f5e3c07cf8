"""Real jobs over services that fail: how they end, what they say, what is counted for whom."""

# ruff: noqa: F401, F811 (fixtures are used by name)

import json
import signal
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import service_handlers as handlers
from bellhand.app import Daemon
from bellhand.dev.standins.server import StandIns, served
from daemons import at_work, insert, until
from outside import _impatient, sections, stand_ins, usage
from processes import Fleet, fleet
from support import eventually
from test_metrics import value

ALL = (handlers.local, handlers.places, handlers.judge, handlers.steps)
KINDS = {"serpapi": "svc.local", "places": "svc.places", "openai": "svc.judge"}


async def snoozed(conn: asyncpg.Connection, job: int) -> asyncpg.Record:
    """The job once it has been put off."""

    async def there() -> Any:
        return await conn.fetchval(
            "select exists (select from bellhand.events where job = $1 and type = 'snoozed')", job
        )

    await eventually(there, because=f"job {job} should be snoozed")
    row = await conn.fetchrow("select * from bellhand.all_jobs where id = $1", job)
    assert row is not None
    return row


@pytest.mark.parametrize("service", ["serpapi", "places", "openai"])
async def test_each_fault_ends_a_job_as_it_should(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns, service: str
) -> None:
    kind, faults = KINDS[service], stand_ins.faults
    settings = partial(
        sections, stand_ins.port, cache_seconds=0, breaker_failures=100, rate_per_second=None
    )
    # Patience for a busy machine, but where patience is what ends.
    async with at_work(dsn, *ALL, services=settings(seconds_max=1)):
        faults.set(service, "slow", times=3, seconds=5)
        row = await until(conn, await insert(conn, kind), "completed")
        assert row["attempts"] >= 1, "slow: by another attempt"
    async with at_work(dsn, *ALL, services=settings(seconds_max=20)):
        for fault in ("error", "unavailable", "truncated", "malformed", "reset", "rate"):
            faults.set(service, fault, times=2)
            row = await until(conn, await insert(conn, kind), "completed")
            assert row["attempts"] == 0, f"{fault}: tried again inside the call"
        for fault in ("error", "truncated", "malformed", "reset"):
            faults.set(service, fault, times=3)  # each try of the first attempt
            row = await until(conn, await insert(conn, kind), "completed")
            assert row["attempts"] == 1, f"{fault}: by another attempt"
        faults.set(service, "error", times=6)
        row = await until(conn, await insert(conn, kind), "failed")
        assert f"{service}: the service has a fault" in row["error"]
        for fault, said in (("quota", "its quota is spent"), ("refused", "the key is refused")):
            faults.set(service, fault)
            row = await snoozed(conn, await insert(conn, kind))
            assert (row["state"], row["attempts"]) == ("scheduled", 0), "no attempt is burned"
            assert row["error"].startswith(f"{service}: {said}")
            await conn.execute("update bellhand.services set paused_until = null")
        assert await conn.fetchval("select count(*) from bellhand.jobs") == 2
    assert sum(row["calls"] for row in await usage(conn)) == len(stand_ins.asked(service))


async def test_sighup_takes_in_other_services_keys_caps_and_models(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns, fleet: Fleet, tmp_path: Path
) -> None:
    """What is under way ends as it began; what comes later goes to the new place, with the new key, under the new cap."""
    file = tmp_path / "key"
    file.write_text("first-key")
    async with served() as elsewhere:

        def config(port: int, **serpapi: Any) -> str:
            own = sections(port, cache_seconds=0)
            own["serpapi"] = {
                "base_url": f"http://127.0.0.1:{port}",
                "key_file": str(file),
                "cache_seconds": 0,
                **serpapi,
            }
            own["openai"] |= {"model": "gpt-4.1"} if port == elsewhere.port else {}
            lines = [f"allow_networks = {json.dumps(own.pop('allow_networks'))}"]
            for name, values in own.items():
                lines += [
                    f"[services.{name}]",
                    *(f"{k} = {json.dumps(v)}" for k, v in values.items()),
                ]
            return "\n".join(["[services]", *lines, ""])

        daemon = fleet.start(dsn, modules=["service_handlers"])
        await daemon.until("ready")
        plain = daemon.config.read_text()

        async def reload(text: str) -> None:
            times = len(daemon.said("reloaded")) + 1
            daemon.config.write_text(plain + text)
            daemon.tell(signal.SIGHUP)
            await daemon.until("reloaded", times=times)

        waits = await insert(conn, "svc.local")
        assert "waits for a key" in (await snoozed(conn, waits))["error"]
        await reload(config(stand_ins.port))
        await conn.execute("select bellhand.run_now($1)", waits)
        await until(conn, waits, "completed")
        stand_ins.faults.set("serpapi", "slow", seconds=1.5)
        slow = await insert(conn, "svc.local")
        await eventually(lambda: len(stand_ins.asked("serpapi")) == 2)
        file.write_text("the-second-key")
        await reload(config(elsewhere.port, calls_per_day_max=3))
        await until(conn, await insert(conn, "svc.local"), "completed")
        await until(conn, await insert(conn, "svc.judge"), "completed")
        await until(conn, slow, "completed")
        capped = await snoozed(conn, await insert(conn, "svc.local"))
        assert "3 calls" in capped["error"], capped["error"]
        assert len(stand_ins.asked("serpapi")) == 2
        assert [ask.query["api_key"] for ask in elsewhere.asked("serpapi")] == ["the-second-key"]
        assert json.loads(elsewhere.asked("openai")[0].body)["model"] == "gpt-4.1"
        daemon.config.write_text(plain + "[services.serpapi]\nrate_per_second = -1\n")
        daemon.tell(signal.SIGHUP)
        await daemon.until("reload_refused")


async def test_a_job_without_a_key_waits_and_why_says_for_what(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns, tmp_path: Any
) -> None:
    settings = sections(stand_ins.port)
    file = tmp_path / "key"
    settings["serpapi"] |= {"key": None, "key_file": file}
    async with at_work(dsn, *ALL, services=settings):
        job = await insert(conn, "svc.local")
        row = await snoozed(conn, job)
        assert (row["state"], row["attempts"]) == ("scheduled", 0)
        (gate,) = await conn.fetch("select * from bellhand.why($1)", job)
        assert "serpapi: waits for a key: set services.serpapi.key_file" in gate["detail"]
        assert gate["fix"] == f"bellhand run-now {job}"
        assert stand_ins.asked("serpapi") == []
        file.write_text("a-key-that-came-later\n")
        await conn.execute("select bellhand.run_now($1)", job)
        await until(conn, job, "completed")
        file.write_text("another")
        await until(conn, await insert(conn, "svc.local", '{"words": "bakers"}'), "completed")
    assert [call.query["api_key"] for call in stand_ins.asked("serpapi")] == ["a-key-that-came-later", "another"]  # fmt: skip


async def test_a_step_that_fails_says_so_and_the_others_go_on_s0_27(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    async with at_work(dsn, *ALL, services=sections(stand_ins.port, cache_seconds=0)):
        payload = json.dumps(["Austin", "Atlantis", "Dallas"])
        row = await until(conn, await insert(conn, "svc.steps", payload), "completed")
    assert row["partial"]
    austin, atlantis, dallas = json.loads(row["result"])
    assert austin > 0 < dallas
    assert atlantis is None
    error = await conn.fetchval("select error from bellhand.steps where name = 'Atlantis'")
    assert "Unsupported `Atlantis` location" in error
    asked = [call.query["location"] for call in stand_ins.asked("serpapi")]
    assert sorted(asked) == ["Atlantis", "Austin", "Dallas"], (
        "what no attempt can mend is paid for once"
    )


async def test_usage_says_which_kind_and_whose_s0_34(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    settings = sections(stand_ins.port, cache_seconds=0)
    async with at_work(dsn, *ALL, services=settings) as daemon:
        for owner in ("ada", "ada", "grace", None):
            await until(conn, await insert(conn, "svc.local", owner=owner), "completed")
        await until(conn, await insert(conn, "svc.judge", owner="ada"), "completed")
        counted = metrics_of(daemon)
    rows = {(r["service"], r["kind"], r["owner"]): r for r in await usage(conn)}
    assert {key: row["calls"] for key, row in rows.items()} == {
        ("openai", "svc.judge", "ada"): 1,
        ("serpapi", "svc.local", "ada"): 2,
        ("serpapi", "svc.local", "grace"): 1,
        ("serpapi", "svc.local", ""): 1,
    }
    judged = rows["openai", "svc.judge", "ada"]
    assert counted == {
        "calls": 4,
        "seconds": 4,
        "tokens in": judged["units_in"],
        "tokens out": judged["units_out"],
        "dollars": pytest.approx(4 * 0.015),
    }


def metrics_of(daemon: Daemon) -> dict[str, Any]:
    metrics, serpapi = daemon.metrics, {"service": "serpapi", "operation": "local"}
    openai = {"service": "openai"}
    return {
        "calls": value(metrics, "bellhand_external_requests_total", code="ok", **serpapi),
        "seconds": value(metrics, "bellhand_external_request_seconds_count", **serpapi),
        "tokens in": value(metrics, "bellhand_external_units_total", direction="in", **openai),
        "tokens out": value(metrics, "bellhand_external_units_total", direction="out", **openai),
        "dollars": value(metrics, "bellhand_external_cost_dollars_total", service="serpapi"),
    }


async def test_every_daemon_shows_the_breaker_that_one_of_them_opened_s4_32(
    dsn: str, conn: asyncpg.Connection, stand_ins: StandIns
) -> None:
    settings = sections(stand_ins.port, cache_seconds=0, breaker_failures=1, breaker_seconds=100, retries_max=0)  # fmt: skip

    def breaker(daemon: Daemon) -> float | None:
        return value(daemon.metrics, "bellhand_circuit_open", service="serpapi")

    async with at_work(dsn, handlers.local, services=settings) as one, at_work(dsn, handlers.places) as other:  # fmt: skip
        assert breaker(one) == breaker(other) == 0
        stand_ins.faults.set("serpapi", "unavailable")
        row = await snoozed(conn, await insert(conn, "svc.local"))
        assert "its breaker is open after 1 failures in a row" in row["error"]
        await eventually(lambda: breaker(one) == breaker(other) == 1)
        async with at_work(dsn, handlers.judge) as late:
            await eventually(lambda: breaker(late) == 1)
        await conn.execute("update bellhand.services set retry_at = bellhand.now()")
        await conn.execute("select bellhand.run_now(id) from bellhand.jobs")
        await eventually(lambda: breaker(one) == breaker(other) == 0)
