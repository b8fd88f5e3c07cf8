"""How fast many jobs get in, each peer by its fastest documented way; no worker runs."""

from __future__ import annotations

from ..meter import Meter, spent
from ..peers.bellhand import Bellhand
from ..stage import Stage, Values

SELECT, COPY = "INSERT ... SELECT", "COPY"
VARIANTS = {
    "bellhand": (SELECT, COPY),
    "graphile": ("add_jobs in SQL",),
    "pgqueuer": ("enqueue of lists of 5000",),
    "procrastinate": ("batch_defer of 5000",),
}
JOBS_MIN = 50_000


async def measure(stage: Stage) -> Values:
    jobs = stage.jobs(max(JOBS_MIN, stage.peer.drain_jobs))
    meter = Meter(stage.place)
    with stage.alone():
        await stage.place.script("checkpoint")
        before = await meter.read()
        if stage.variant == COPY:
            assert isinstance(stage.peer, Bellhand)
            seconds = await stage.peer.copy(stage.place, jobs)
        else:
            seconds = await stage.peer.fill(stage.place, jobs)
        after = await meter.read()
    costs = spent(before, after, jobs)
    return {"per_second": jobs / seconds, "wal_bytes": costs["wal_bytes"]}
