"""A handler that stands still with its daemon, once; its module is run by a daemon of its own."""

import time
from typing import Any

from bellhand import Job, job_kind


@job_kind("stall.once", lane="stalls", timeout_seconds=1)
async def stall(_args: dict[str, Any], job: Job) -> None:
    if job.crashes == 0:
        time.sleep(600)  # noqa: ASYNC251  the loop does not turn; the heartbeat, on its thread, goes on
