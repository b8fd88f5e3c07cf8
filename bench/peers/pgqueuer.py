"""PgQueuer on asyncpg and uvloop, tuned by its own advice: larger batches, its autovacuum settings."""

from __future__ import annotations

from ..peer import PAYLOAD_FILLER
from ..place import Place
from .python import PythonPeer

FUNCTION = """create function bench_enqueue(n integer) returns void language sql as $$
  with job as (insert into pgqueuer (priority, entrypoint, payload, execute_after, status)
      values (0, 'timed', convert_to(n::text, 'utf8'), now(), 'queued') returning id)
  insert into pgqueuer_log (job_id, status, entrypoint, priority) select id, 'queued', 'timed', 0 from job $$"""


FILL_LATER = """insert into pgqueuer (priority, entrypoint, payload, execute_after, status)
  select 0, 'nothing', convert_to(json_build_object('n', g, 'text', '{filler}')::text, 'utf8'), now() + interval '1 day', 'queued'
  from generate_series(1, {jobs}) g"""


class PgQueuer(PythonPeer):
    """So many consumers in one process, as its benchmark has them, each with a connection."""

    name = "pgqueuer"
    module = "bench.workers.pgqueuer"
    packages = ("pgqueuer", "asyncpg", "uvloop")
    consumers = 1
    batch = 500
    drain_jobs = 60_000
    channels = ("ch_pgqueuer",)
    insert_one = "select bench_enqueue($1)"
    unfinished = "select id from pgqueuer order by id desc limit 1"

    @property
    def settings(self) -> str:
        return (
            f"{self.consumers} consumer with batch_size {self.batch}, durability durable, "
            "autovacuum as it advises"
        )

    @property
    def options(self) -> list[str]:
        return [str(self.consumers), str(self.batch)]

    async def prepare(self, place: Place) -> None:
        await super().prepare(place)
        await place.script(FUNCTION)

    async def fill_later(self, place: Place, jobs: int) -> None:
        await place.script(FILL_LATER.format(filler=PAYLOAD_FILLER, jobs=jobs))
