"""What each option of Bellhand costs in a drain, and what a start on an empty database does to the plans."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from typing import Any

from ..dry import DRAIN_SECONDS, run_dry, until_finished
from ..peers.bellhand import CONCURRENCY, Bellhand
from ..producer import ready
from ..stage import Stage, Values

HUGE = 1_000_000
PLAIN = "plain"
EMPTY_START = "started empty, then filled"
REST_SECONDS = 1


@dataclass(frozen=True)
class Option:
    """The kind of the jobs, how many, and what the configuration says beyond the usual."""

    kind: str = "bench.nothing"
    jobs: int = 100_000
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)


OPTIONS = {
    PLAIN: Option(),
    "lane with a limit of jobs": Option(
        "bench.limited", sections={"lanes.limited": {"concurrency": CONCURRENCY}}
    ),
    "lane with a limit of rate": Option(
        "bench.limited", sections={"lanes.limited": {"rate_per_second": HUGE, "rate_burst": HUGE}}
    ),
    "one step": Option("bench.one_step", 20_000),
    "ten steps": Option("bench.ten_steps", 4_000),
    "result of 10 kB": Option("bench.large_result", 50_000),
    "log level debug": Option(sections={"log": {"level": "debug"}}),
    EMPTY_START: Option(),
}
VARIANTS = {"bellhand": tuple(OPTIONS)}


async def measure(stage: Stage) -> Values:
    option = OPTIONS[stage.variant]
    peer = Bellhand(**option.sections)
    stage = replace(stage, peer=peer)
    jobs = stage.jobs(option.jobs)
    if stage.variant == EMPTY_START:
        return await _started_empty(stage, peer, jobs)
    with stage.together():
        await peer.fill(stage.place, jobs, option.kind)
        await stage.place.settle_down()
    with stage.alone(), peer.crew(stage.place) as crew:
        return await run_dry(stage, crew, jobs)


async def _started_empty(stage: Stage, peer: Bellhand, jobs: int) -> Values:
    """From the commit of one INSERT ... SELECT; no statistics were gathered, and the plans are those of empty tables."""
    with stage.alone(), peer.crew(stage.place) as crew:
        already = await ready(stage, crew)
        await asyncio.sleep(REST_SECONDS)
        await peer.fill(stage.place, jobs)
        started = time.monotonic()
        await crew.until_called(already + jobs, DRAIN_SECONDS)
        ended = await until_finished(stage)
    return {"per_second": jobs / (ended - started)}
