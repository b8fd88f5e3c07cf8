"""A real Prometheus scrapes a real daemon: an alert fires on a lane that really stalls, and resolves."""

import re
from pathlib import Path

import asyncpg
import pytest

import stalling_handlers
from daemons import at_work, insert, until
from processes import Fleet
from processes import fleet as fleet
from support import eventually
from watching import RULES, Prometheus, alerts, free_port, prometheus, queries


def hurried() -> str:
    """The rules as they are, but nothing has to last."""
    return re.sub(r"^( +for:) .*$", r"\1 0s", RULES.read_text(), flags=re.M)


@pytest.mark.slow  # once is enough: it does not depend on the version of Postgres
async def test_an_alert_fires_on_a_stalled_lane_and_resolves(
    dsn: str, conn: asyncpg.Connection, fleet: Fleet, tmp_path: Path
) -> None:
    """S0-07: a step beyond its limit is seen from outside, while the daemon that holds it says nothing."""
    sick = fleet.start(dsn, modules=["stalling_handlers"])
    await sick.until("ready")
    job = await insert(conn, "stall.once")
    await until(conn, job, "running")
    watcher = {"lease_seconds": 1.5, "heartbeat_seconds": 0.3}
    async with at_work(dsn, stalling_handlers.stall, worker=watcher) as daemon:
        targets = [f"127.0.0.1:{daemon.status.port}"]
        async with prometheus(tmp_path, hurried(), targets, free_port()) as watch:

            async def fires() -> bool:
                await daemon.keeper.sample()
                return "BellhandLaneStalled" in await watch.firing()

            await eventually(fires, 40)
            alert = (await watch.firing())["BellhandLaneStalled"]
            assert alert["labels"]["lane"] == "stalls"
            assert alert["annotations"]["summary"] == "A job in lane stalls runs beyond its timeout"
            assert (await watch.value("up")) == 1
            await every_rule_and_every_query_works(watch)
            sick.child.kill()
            done = await until(conn, job, "completed", 30)
            assert done["crashes"] == 1

            async def resolved() -> bool:
                await daemon.keeper.sample()
                return "BellhandLaneStalled" not in await watch.firing()

            await eventually(resolved, 30)
            lost = 'bellhand_jobs_rescued_total{reason="worker_lost"}'
            await eventually(lambda: _is(watch, lost, 1.0))


async def every_rule_and_every_query_works(watch: Prometheus) -> None:
    groups = (await watch.get("rules"))["groups"]
    rules = {rule["name"]: rule for group in groups for rule in group["rules"]}
    assert set(alerts()) < set(rules)
    assert {name: rule["lastError"] for name, rule in rules.items() if rule.get("lastError")} == {}
    for title, expr in queries():
        try:
            await watch.get("query", query=expr)
        except AssertionError as refused:
            pytest.fail(f"{title}: {refused}")


async def _is(watch: Prometheus, expr: str, wanted: float) -> bool:
    return bool(await watch.value(expr) == wanted)
