"""How many single INSERTs a second 16 producers get in, each a transaction, while a worker listens and works."""

from __future__ import annotations

from ..dry import until_finished
from ..meter import Meter, spent
from ..pgbench import pgbench
from ..producer import ready
from ..stage import Stage, Values
from ..witness import JOBS_MAX

WORKING, NOBODY, BARE = "a worker working", "no worker", "the same table, no trigger"
VARIANTS = {"bellhand": (WORKING, NOBODY, BARE), "": (WORKING,)}
PRODUCERS = 16
SECONDS = 6
DONE_SECONDS = 120
# The same columns, defaults, constraints and indexes; the key's default reads the sequence of its own table.
COPY_OF_THE_TABLE = """
  create table bellhand.bare (like bellhand.jobs including all);
  do $$ declare f text := (select pg_get_expr(d.adbin, d.adrelid) from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid
      and a.attnum = d.adnum where d.adrelid = 'bellhand.jobs'::regclass and a.attname = 'key');
  begin execute 'alter table bellhand.bare alter column key set default ' || replace(f, 'jobs_id_seq', 'bare_id_seq'); end $$"""


async def measure(stage: Stage) -> Values:
    # Any number: the handler notes the time of each, and nobody looks at it here.
    insert = stage.peer.insert_one.replace("$1", ":n")
    script = f"\\set n random(0, {JOBS_MAX - 1})\n{insert};\n"
    if stage.variant == BARE:
        await stage.place.script(COPY_OF_THE_TABLE)
        script = script.replace("bellhand.jobs", "bellhand.bare")
    seconds = stage.seconds(SECONDS)
    with stage.alone():
        if stage.variant == NOBODY:
            ran = await pgbench(stage.place, script, clients=PRODUCERS, seconds=seconds)
            return {"per_second": ran.per_second}
        with stage.peer.crew(stage.place) as crew:
            already = await ready(stage, crew)
            meter = Meter(stage.place, crew)
            before = await meter.read()
            ran = await pgbench(stage.place, script, clients=PRODUCERS, seconds=seconds)
            done = crew.calls - already
            after = await meter.read()
            if stage.variant == BARE:
                return {"per_second": ran.per_second}
            await crew.until_called(already + ran.transactions, DONE_SECONDS)
            await until_finished(stage)
    return {
        "per_second": ran.per_second,
        "done_per_second": done / (after.seconds - before.seconds),
        "waiting_at_the_end": ran.transactions - done,
        **spent(before, after, ran.transactions),
    }
