-- Puts failures that ended since the last look into their groups, at most p_limit; how many. Looks two minutes back each time, since
-- a commit may land behind where the last look ended; what is in its group already is passed by. A job that completed in part speaks by its first failed step. Remembers the workers too, whose
-- names and versions contrast asks for when they are gone. One daemon at a time.
create or replace function bellhand.group_failures(p_limit integer default 2000) returns bigint language plpgsql
set plan_cache_mode = force_custom_plan set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  look bellhand.looks; n bigint; last timestamptz;
begin
  select * into look from bellhand.looks x where x.name = 'failures' for update skip locked;
  if not found then return 0; end if;
  insert into bellhand.workers_seen as s (id, name, host, version, code, started_at)
    select w.id, w.name, w.host, w.version, w.code, w.started_at from bellhand.workers w
      where not exists (select from bellhand.workers_seen x where x.id = w.id and x.seen_at > bellhand.now() - interval '1 hour') order by w.id
    on conflict (id) do update set seen_at = excluded.seen_at;
  with fresh as (
    select h.id, h.finished_at, h.kind, coalesce(h.error, (select s.error from bellhand.steps s where s.job = h.id and s.state = 'failed'
        order by s.position limit 1)) as error from bellhand.history h
      where (h.state <> 'completed' or h.partial) and h.state <> 'cancelled' and h.finished_at > look.upto - interval '2 minutes'
        and not exists (select from bellhand.failure_jobs f where f.job = h.id and f.finished_at = h.finished_at)
      order by h.finished_at limit p_limit),
  known as materialized (
    select f.id, f.finished_at, f.kind, f.error, bellhand.error_class(f.error) as class, bellhand.error_pattern(f.error) as message from fresh f),
  marked as materialized (
    select k.*, left(encode(sha256(convert_to(k.kind || chr(10) || k.class || chr(10) || k.message, 'UTF8')), 'hex'), 12) as fingerprint from known k),
  grouped as (
    insert into bellhand.failures as g (fingerprint, kind, error_class, message, example, jobs, first_at, last_at)
      select m.fingerprint, min(m.kind), min(m.class), min(m.message), coalesce(right((array_agg(m.error order by m.finished_at desc))[1], 2000), ''),
        count(*), min(m.finished_at), max(m.finished_at) from marked m group by m.fingerprint order by m.fingerprint
      on conflict (fingerprint) do update set jobs = g.jobs + excluded.jobs, example = excluded.example,
        first_at = least(g.first_at, excluded.first_at), last_at = greatest(g.last_at, excluded.last_at)
      returning g.fingerprint),
  by_hour as (
    insert into bellhand.failure_hours as g (fingerprint, hour, jobs)
      select m.fingerprint, date_trunc('hour', m.finished_at, 'UTC'), count(*) from marked m join grouped on grouped.fingerprint = m.fingerprint
      group by 1, 2 order by 1, 2
      on conflict (fingerprint, hour) do update set jobs = g.jobs + excluded.jobs),
  listed as (
    insert into bellhand.failure_jobs (job, finished_at, fingerprint) select m.id, m.finished_at, m.fingerprint from marked m)
  select count(*), max(m.finished_at) into n, last from marked m;
  update bellhand.looks x set at = bellhand.now(), upto = greatest(x.upto, case when n < p_limit then bellhand.now() else last end) where x.name = 'failures';
  return n;
end $$;
