"""Several machines, for a few seconds; `make fleet` plays the rest: machines cut off, upgrades, failover, poolers."""

import asyncio
import os
from pathlib import Path

import pytest

from bellhand.dev.programs import Preference
from faults.fault import Skip, load
from faults.hosts import NOBODY, hosts
from faults.play import play
from support import Server

PG: Preference = "system" if os.environ.get("BELLHAND_TEST_PG") == "system" else "embedded"

pytestmark = [pytest.mark.timeout(240), pytest.mark.slow]

STARVED = {"limit_not_used", "lane_too_slow"}


async def test_three_machines_share_limits_exactly(server: Server, tmp_path: Path) -> None:
    """Lanes of 1, 2 and 7 jobs and one of 40 starts a second: never above, and used."""
    # In two seconds a busy machine may starve the daemons: of three plays one must use the limits, and none be above them.
    for n in range(3):
        verdict = await play(load()["fleet-limits"], tmp_path / f"fleet-{n}", seed=7, seconds=2.0, postgres=PG)  # fmt: skip
        print(verdict.line())
        if verdict.skipped:
            pytest.skip(verdict.skipped)
        assert set(verdict.violations) <= STARVED, verdict.violations
        if verdict.valid:
            break
    assert verdict.valid, verdict.violations
    peaks = {lane: verdict.figures[f"peak_{lane}"] for lane in ("one", "two", "seven")}
    assert peaks == {"one": 1, "two": 2, "seven": 7}


async def test_who_is_cut_off_stays_so_when_the_others_leave_the_bridge() -> None:
    """A bridge without an address of its own takes that of a port, and forgets what it was told when the port leaves."""
    try:
        async with hosts(2) as machines:
            lost, *_ = machines.all
            await machines.cut(lost, "answers")
            for host in machines.all:
                await machines.cut(host, "packets")
            asked = await asyncio.create_subprocess_exec("ip", "neigh", "show", lost.address, stdout=asyncio.subprocess.PIPE)  # fmt: skip
            said, _ = await asked.communicate()
            assert NOBODY in said.decode()
            await machines.heal(lost, "answers")
    except Skip as skip:
        pytest.skip(str(skip))
