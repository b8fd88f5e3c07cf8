"""The third witness: rows that triggers write, in the transaction of what they tell.

Every change of a job's, a lease's or a worker's row leaves one, numbered (by one sequence) under the row's lock, so that
the numbers of one job are in the order in which things happened to it. Installed for the faults only.
"""

from __future__ import annotations

import time

import asyncpg

from .witness import Event

INSTALL = """
create schema faults;
create sequence faults.seq;
create table faults.effects (job bigint not null, epoch integer not null, token text);
create table faults.jobs (
  seq bigint not null default nextval('faults.seq'), at timestamptz not null default clock_timestamp(), xid xid8 not null default pg_current_xact_id(),
  op text not null, place text not null, job bigint not null, state text, epoch integer, attempts smallint, attempts_max smallint,
  crashes smallint, kind text, key text, token text, schedule text, tick text, done float8, stop text, error text,
  lane smallint, priority smallint, due boolean);
create table faults.workers (
  seq bigint not null default nextval('faults.seq'), at timestamptz not null default clock_timestamp(), xid xid8 not null default pg_current_xact_id(),
  op text not null, worker uuid not null, name text not null, pid integer not null, beat timestamptz not null);
create table faults.leases (
  seq bigint not null default nextval('faults.seq'), at timestamptz not null default clock_timestamp(), xid xid8 not null default pg_current_xact_id(),
  op text not null, lease bigint not null, worker uuid not null, ids bigint[] not null, epochs integer[] not null);

create function faults.saw_job() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  j record;
begin
  if tg_op = 'DELETE' then j := old; else j := new; end if;
  insert into faults.jobs (op, place, job, state, epoch, attempts, attempts_max, crashes, kind, key, token, schedule, tick, done, stop, error, lane, priority, due)
    values (left(tg_op, 1), tg_argv[0], j.id, j.state, j.epoch, j.attempts,
      coalesce(j.attempts_max, (select k.attempts_max from bellhand.kinds k where k.name = j.kind)), j.crashes, j.kind, j.unique_key,
      case when jsonb_typeof(j.payload) = 'object' then j.payload ->> 'token' end, j.tags ->> 'schedule', j.tags ->> 'tick',
      coalesce((j.progress ->> 'steps_done')::float8, (j.progress ->> 'done')::float8),
      to_jsonb(j) ->> 'stop', left(j.error, 200),
      case when tg_op = 'INSERT' then (select k.lane from bellhand.kinds k where k.name = j.kind) end, j.priority, j.run_at <= bellhand.now());
  return null;
end $$;
create trigger faults_saw after insert or update or delete on bellhand.jobs for each row execute function faults.saw_job('jobs');
create trigger faults_saw after insert or update or delete on bellhand.history for each row execute function faults.saw_job('history');

create function faults.saw_lease() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  l bellhand.leases;
begin
  if tg_op = 'DELETE' then l := old; else l := new; end if;
  insert into faults.leases (op, lease, worker, ids, epochs) values (left(tg_op, 1), l.id, l.worker, l.ids, l.epochs);
  return null;
end $$;
create trigger faults_saw after insert or update or delete on bellhand.leases for each row execute function faults.saw_lease();

create function faults.saw_worker() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  w bellhand.workers;
begin
  if tg_op = 'DELETE' then w := old; else w := new; end if;
  insert into faults.workers (op, worker, name, pid, beat) values (left(tg_op, 1), w.id, w.name, w.pid, w.beat);
  return null;
end $$;
create trigger faults_saw after insert or update or delete on bellhand.workers for each row execute function faults.saw_worker();
"""

JOBS = """
select seq, extract(epoch from at)::float8 as at, xid::text::bigint as xid, op, place, job, state, epoch, attempts, attempts_max, crashes,
  kind, key, token, schedule, tick, done, stop, error, lane, priority, due from faults.jobs order by seq
"""
WORKERS = """
select seq, extract(epoch from at)::float8 as at, xid::text::bigint as xid, op, worker::text, name, pid,
  extract(epoch from beat)::float8 as beat from faults.workers order by seq
"""
LEASES = """
select seq, extract(epoch from at)::float8 as at, xid::text::bigint as xid, op, lease, worker::text, ids, epochs from faults.leases order by seq
"""
EFFECTS = "select job, epoch, count(*) as n from faults.effects group by job, epoch"
FINAL = """
select (select count(*) from bellhand.jobs) as live, (select count(*) from bellhand.history) as over,
  (select count(*) from bellhand.leases l left join bellhand.workers w on w.id = l.worker where w.id is null) as dead_leases,
  (select count(*) from bellhand.lane_holds h left join bellhand.workers w on w.id = h.worker where w.id is null) as dead_slots,
  (select coalesce(sum(jobs), 0) from bellhand.stats where outcome in ('completed', 'partial'))::bigint as counted,
  (select count(*) from bellhand.queue) as queued, (select count(*) from bellhand.scheduled) as scheduled
"""


async def install(conn: asyncpg.Connection) -> None:
    """Once in a fresh database that has the schema."""
    await conn.execute(INSTALL)


async def clock_offset(conn: asyncpg.Connection) -> float:
    """What to subtract from the database's time (epoch seconds) to get ours: the best of some tries."""
    best = (float("inf"), 0.0)
    for _ in range(5):
        before = time.monotonic()
        theirs = await conn.fetchval(
            "select extract(epoch from clock_timestamp())::float8", timeout=10
        )
        after = time.monotonic()
        best = min(best, (after - before, theirs - (before + after) / 2))
    return best[1]


async def collect(conn: asyncpg.Connection) -> list[Event]:
    """Everything the triggers saw, the effects, and what is left, as events."""
    offset = await clock_offset(conn)
    events: list[Event] = []
    for source, sql in (("db", JOBS), ("leases", LEASES), ("workers", WORKERS)):
        for row in await conn.fetch(sql, timeout=60):
            event = {"src": source, "t": row["at"] - offset} | dict(row)
            if "beat" in event:
                event["beat"] -= offset
            events.append(event)
    events += [{"src": "effect"} | dict(row) for row in await conn.fetch(EFFECTS, timeout=60)]
    final = await conn.fetchrow(FINAL, timeout=60)
    assert final is not None
    return [*events, {"src": "final", "t": time.monotonic()} | dict(final)]
