"""What SQL alone can do here: pgbench claims 500 jobs with their payloads and durably writes 500 completions, in turns.

`narrow` is the least that a queue must write: a row of the queue deleted, a lease for the batch, a row a job at the end.
`kept` also does what Bellhand does: the job's own row marked running, then moved to a history with two indexes.
"""

from __future__ import annotations

from ..peer import PAYLOAD_FILLER
from ..pgbench import pgbench
from ..stage import Stage, Values

VARIANTS = {
    "sql": ("narrow, one client", "narrow, two clients", "kept, one client", "kept, two clients")
}
JOBS = 200_000
BATCH = 500
TABLES = """
  create table jobs (id bigint generated always as identity primary key, kind text not null, payload jsonb not null,
    priority smallint not null default 5, state text not null default 'pending', epoch integer not null default 0,
    worker integer, started_at timestamptz) with (fillfactor = 40);
  create table queue (rank smallint not null, xid xid8 not null default pg_current_xact_id(), id bigint not null);
  create index on queue (rank, xid, id);
  create table leases (client integer not null, ids bigint[] not null);
  create table completed (id bigint not null, at timestamptz not null default now());
  create table history (id bigint not null, kind text not null, payload jsonb not null, state text not null,
    finished_at timestamptz not null);
  create index on history (id);
  create index on history (kind, finished_at)"""
FILL = """
  insert into jobs (kind, payload) select 'nothing', jsonb_build_object('n', g, 'text', '{filler}')
    from generate_series(1, {jobs}) g;
  insert into queue (rank, id) select 5, id from jobs order by id"""
TAKE = """with taken as (delete from queue where ctid = any (array(
      select ctid from queue order by rank, xid, id limit {batch} for update skip locked)) returning id),
    leased as (insert into leases select :client_id, array_agg(id) from taken returning 1)"""
SCRIPTS = {
    "narrow": TAKE + """
  select id, kind, payload from jobs where id = any (array(select id from taken));
with gone as (delete from leases where client = :client_id returning ids)
  insert into completed (id) select unnest(ids) from gone;
""",
    "kept": TAKE + """
  update jobs set state = 'running', epoch = epoch + 1, worker = :client_id, started_at = now()
    where id = any (array(select id from taken)) returning id, kind, payload;
with lease as (delete from leases where client = :client_id returning ids),
    gone as (delete from jobs where id = any (array(select unnest(ids) from lease)) returning id, kind, payload)
  insert into history select id, kind, payload, 'completed', now() from gone;
""",
}  # fmt: skip


async def measure(stage: Stage) -> Values:
    what, _, clients_in_words = stage.variant.partition(", ")
    clients = 2 if clients_in_words == "two clients" else 1
    rounds = max(1, stage.jobs(JOBS) // BATCH // clients)
    with stage.together():
        await stage.place.script(TABLES)
        await stage.place.script(FILL.format(filler=PAYLOAD_FILLER, jobs=rounds * BATCH * clients))
        await stage.place.settle_down()
    with stage.alone():
        ran = await pgbench(
            stage.place, SCRIPTS[what].format(batch=BATCH), clients=clients, transactions=rounds
        )
    table = "completed" if what == "narrow" else "history"
    done = await stage.place.value(f"select count(*) from {table}")
    assert done == ran.transactions * BATCH, f"{done} of {ran.transactions * BATCH} done"
    return {"per_second": ran.per_second * BATCH}
