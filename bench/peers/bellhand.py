"""Bellhand, as its users run it: a process, a configuration file, everything on."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from importlib import metadata
from importlib.util import find_spec
from typing import Any

import bellhand
from bellhand.migrate import migrate

from ..crew import LOOK_SECONDS, START_SECONDS, Crew
from ..install import ROOT
from ..peer import PAYLOAD_FILLER
from ..place import Place

CONCURRENCY = 1000
FILL = """insert into bellhand.jobs (kind, payload)
  select '{kind}', jsonb_build_object('n', g, 'text', '{filler}') from generate_series(1, {jobs}) g"""
FILL_LATER = """insert into bellhand.jobs (kind, payload, run_at)
  select 'bench.nothing', jsonb_build_object('n', g, 'text', '{filler}'), now() + interval '1 day' from generate_series(1, {jobs}) g"""
PUBLISHED = "select exists (select from bellhand.kinds where name = 'bench.nothing')"


class Bellhand:
    """History kept, one task a job, timeout armed, log level info; only the concurrency is not the default."""

    name = "bellhand"
    settings = f"concurrency {CONCURRENCY}, else defaults: claims of 500, history kept, a task and a timeout a job"
    drain_jobs = 200_000
    channels = ("bellhand",)
    insert_one = "insert into bellhand.jobs (kind, payload) values ('bench.timed', jsonb_build_object('n', $1::integer))"
    unfinished = "select id from bellhand.jobs order by id desc limit 1"

    def __init__(self, **sections: dict[str, Any]) -> None:
        self.sections = sections

    def missing(self) -> str | None:
        return None

    def version(self) -> str:
        loop = f"uvloop {metadata.version('uvloop')}" if find_spec("uvloop") else "asyncio"
        return f"bellhand {bellhand.__version__}, asyncpg {metadata.version('asyncpg')}, {loop}"

    async def prepare(self, place: Place) -> None:
        """The schema, and the kinds that a first start publishes: an INSERT of an unknown kind is refused."""
        await migrate(place.dsn)
        with self.crew(place) as crew:
            async with asyncio.timeout(START_SECONDS):
                while not await place.value(PUBLISHED):
                    crew.check()
                    await asyncio.sleep(LOOK_SECONDS)

    async def fill(self, place: Place, jobs: int, kind: str = "bench.nothing") -> float:
        """One INSERT ... SELECT."""
        started = time.perf_counter()
        await place.script(FILL.format(kind=kind, filler=PAYLOAD_FILLER, jobs=jobs))
        return time.perf_counter() - started

    async def fill_later(self, place: Place, jobs: int) -> None:
        await place.script(FILL_LATER.format(filler=PAYLOAD_FILLER, jobs=jobs))

    async def copy(self, place: Place, jobs: int) -> float:
        """COPY from a client that has the rows at hand; seconds."""
        rows = [
            ("bench.nothing", json.dumps({"n": n, "text": PAYLOAD_FILLER})) for n in range(jobs)
        ]
        started = time.perf_counter()
        await place.conn.copy_records_to_table(
            "jobs", schema_name="bellhand", columns=["kind", "payload"], records=rows
        )
        return time.perf_counter() - started

    def crew(self, place: Place, processes: int = 1) -> Crew:
        config = place.folder / "config.toml"
        config.write_text(self._configuration(place.dsn))
        command = [sys.executable, "-m", "bellhand", "run", "--config", str(config)]
        path = os.pathsep.join([str(ROOT / "daemon"), str(ROOT)])
        return Crew(place, command, {"PYTHONPATH": path}, processes)

    def _configuration(self, dsn: str) -> str:
        sections = {"worker": {"concurrency": CONCURRENCY}, "status": {"port": 0}}
        for name, values in self.sections.items():
            sections[name] = sections.get(name, {}) | values
        text = f'dsn = {json.dumps(dsn)}\nmodules = ["bench.kinds"]\n'
        for name, values in sections.items():
            pairs = (f"{key} = {json.dumps(value)}\n" for key, value in values.items())
            text += f"[{name}]\n" + "".join(pairs)
        return text
