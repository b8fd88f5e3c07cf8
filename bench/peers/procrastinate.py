"""Procrastinate on psycopg's C implementation, with as much concurrency as pays."""

from __future__ import annotations

from ..peer import PAYLOAD_FILLER
from ..place import Place
from .python import PythonPeer

FILL_LATER = """insert into procrastinate_jobs (queue_name, task_name, args, scheduled_at)
  select 'default', 'nothing', jsonb_build_object('n', g, 'text', '{filler}'), now() + interval '1 day'
  from generate_series(1, {jobs}) g"""


class Procrastinate(PythonPeer):
    """Its worker claims and finishes one job at a time, whatever its concurrency."""

    name = "procrastinate"
    module = "bench.workers.procrastinate"
    packages = ("procrastinate", "psycopg", "uvloop")
    concurrency = 20
    pool = 10
    drain_jobs = 5_000
    channels = ("procrastinate_any_queue_v1", "procrastinate_queue_v1#default")
    insert_one = """select procrastinate_defer_jobs_v1(array[row('default', 'timed', 0, null, null,
      jsonb_build_object('n', $1::integer), null)::procrastinate_job_to_defer_v1])"""
    unfinished = "select id from procrastinate_jobs where status in ('todo', 'doing') limit 1"

    async def fill_later(self, place: Place, jobs: int) -> None:
        await place.script(FILL_LATER.format(filler=PAYLOAD_FILLER, jobs=jobs))

    @property
    def settings(self) -> str:
        return f"concurrency {self.concurrency}, pool of {self.pool} psycopg (binary) connections, jobs kept"

    @property
    def options(self) -> list[str]:
        return [str(self.concurrency), str(self.pool)]
