"""Graphile Worker on Node, with batching on as its page on performance advises."""

from __future__ import annotations

import json
import subprocess
import time

from ..crew import Crew
from ..install import HERE, HOME, NODE
from ..peer import PAYLOAD_FILLER
from ..place import Place

PACKAGE = HOME / "node_modules" / "graphile-worker"
SCRIPT = HERE / "workers" / "graphile.mjs"
MIGRATE_SECONDS = 60
FILL = """select count(*) from graphile_worker.add_jobs(array(
  select row('nothing', json_build_object('n', g, 'text', '{filler}'), null, {run_at}, null, null, null, null)::graphile_worker.job_spec
  from generate_series(1, {jobs}) g))"""


class Graphile:
    """The local queue, batched completion and concurrency that drained fastest here."""

    name = "graphile"
    concurrency = 24
    local_queue = 2000
    complete_delay = 0
    drain_jobs = 200_000
    channels = ("jobs:insert",)
    insert_one = "select graphile_worker.add_job('timed', json_build_object('n', $1::integer))"
    unfinished = "select id from graphile_worker._private_jobs order by id desc limit 1"

    @property
    def settings(self) -> str:
        return (
            f"concurrentJobs {self.concurrency}, localQueue.size {self.local_queue}, completeJobBatchDelay and "
            f"failJobBatchDelay {self.complete_delay} ms, maxPoolSize {self.concurrency + 1}, prepared statements"
        )

    def missing(self) -> str | None:
        if NODE.exists() and PACKAGE.exists():
            return None
        return "graphile-worker is not installed; run: python -m bench install (needs npm)"

    def version(self) -> str:
        package = json.loads((PACKAGE / "package.json").read_text())
        node = subprocess.check_output([NODE, "--version"], text=True, timeout=10)
        return f"graphile-worker {package['version']} on Node {node.strip()}"

    async def prepare(self, place: Place) -> None:
        given = place.environment | self._environment()
        subprocess.run([NODE, SCRIPT, "migrate"], env=given, check=True, timeout=MIGRATE_SECONDS)

    async def fill(self, place: Place, jobs: int) -> float:
        """One call of add_jobs in SQL."""
        started = time.perf_counter()
        await place.script(FILL.format(filler=PAYLOAD_FILLER, jobs=jobs, run_at="null"))
        return time.perf_counter() - started

    async def fill_later(self, place: Place, jobs: int) -> None:
        tomorrow = "now() + interval '1 day'"
        await place.script(FILL.format(filler=PAYLOAD_FILLER, jobs=jobs, run_at=tomorrow))

    def crew(self, place: Place, processes: int = 1) -> Crew:
        return Crew(place, [str(NODE), str(SCRIPT), "work"], self._environment(), processes)

    def _environment(self) -> dict[str, str]:
        return {
            "NODE_PATH": str(HOME / "node_modules"),
            "NODE_ENV": "production",
            "GRAPHILE_CONCURRENCY": str(self.concurrency),
            "GRAPHILE_LOCAL_QUEUE": str(self.local_queue),
            "GRAPHILE_COMPLETE_DELAY": str(self.complete_delay),
        }
