-- Writes down every other end of an attempt, fenced by (id, epoch) and the lease, and returns the ids it accepted with what
-- became of them. p_held and p_leases as in settle_completed.
-- p_outcomes: retry and crash (an attempt is burned), snooze, release and pause (none is), park, fail, cancel, and
-- crash_fail: the crash that was one too many.
-- What an operator asked of the job meanwhile wins over running it again: cancel, then pause; a pause that was taken back
-- is none. Rows are locked first, so that a request committed a moment ago is seen.
create or replace function bellhand.settle_others(
  p_worker uuid, p_held bigint[], p_ids bigint[], p_epochs integer[], p_outcomes text[], p_wait_seconds float8[], p_errors text[],
  p_progress text[], p_run_seconds real[], p_leases bigint[])
returns table (id bigint, outcome text) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_nestloop = off
set enable_mergejoin = off set jit = off as $$
declare
  held bigint[] := bellhand.still_held(p_worker, p_held, p_ids); ours bigint[]; verdicts text[];
begin
  with u as materialized (
    select * from unnest(held, p_epochs, p_outcomes) u(id, epoch, outcome)),
  locked as (
    select j.id, case when u.outcome in ('fail', 'crash_fail') then 'fail' when u.outcome = 'cancel' then 'cancel'
        else coalesce(j.stop, nullif(u.outcome, 'pause'), 'release') end as verdict
      from bellhand.jobs j join u on u.id = j.id and u.epoch = j.epoch
      where j.id = any (held) for no key update of j)
  select array_agg(l.id), array_agg(l.verdict) into ours, verdicts from locked l;
  if cardinality(p_leases) > 0 then
    delete from bellhand.leases l where l.id = any (p_leases) and l.worker = p_worker;
  end if;
  if ours is null then return; end if;
  with u as materialized (
    select * from unnest(held, p_outcomes, p_wait_seconds, p_errors, p_progress, p_run_seconds) u(id, outcome, wait_seconds, error, progress, run_seconds)),
  v as materialized (
    select * from unnest(ours, verdicts) v(id, verdict)),
  ended as (
    update bellhand.jobs j set
      state = case v.verdict when 'pause' then 'paused' else 'pending' end, stop = null,
      epoch = j.epoch + (v.verdict in ('pause', 'park'))::int,   -- make_ready raises it for those that go back
      worker = p_worker, started_at = bellhand.now() - u.run_seconds * interval '1 second',
      attempts = j.attempts + (u.outcome in ('retry', 'crash', 'fail', 'crash_fail'))::int,
      crashes = j.crashes + (u.outcome in ('crash', 'crash_fail'))::int,
      snoozed = case u.outcome when 'snooze' then true when 'retry' then null when 'crash' then null else j.snoozed end,
      run_at = case when v.verdict in ('retry', 'crash', 'snooze') then bellhand.now() + make_interval(secs => u.wait_seconds) else j.run_at end,
      error = case when v.verdict = 'park' then j.error else coalesce(u.error, j.error) end, progress = coalesce(u.progress::jsonb, j.progress)
      from u join v on v.id = u.id where j.id = any (ours) and j.id = v.id
      returning j.id, j.kind, j.epoch, j.priority, j.attempts, v.verdict, u.wait_seconds, u.error),
  parked as (
    insert into bellhand.parked (kind, id, epoch, rank, reason)
      select e.kind, e.id, e.epoch, 10 - e.priority, coalesce(e.error, 'no_handler') from ended e where e.verdict = 'park')
  insert into bellhand.events (type, job, kind, data)
    select case e.verdict when 'retry' then 'attempt_failed' when 'crash' then 'crashed' when 'pause' then 'paused'
             when 'park' then 'parked' when 'snooze' then 'snoozed' else 'released' end,
           e.id, e.kind, jsonb_strip_nulls(jsonb_build_object('attempt', e.attempts, 'error', right(e.error, 1000), 'wait_seconds', e.wait_seconds))
    from ended e where e.verdict not in ('fail', 'cancel');
  if 'park' = any (verdicts) and exists (
      select from bellhand.parked p join bellhand.workers w on p.kind = any (w.kinds) where p.id = any (ours) and w.id <> p_worker) then
    perform bellhand.call_workers();
  end if;
  perform bellhand.finish(array(select u.i from unnest(ours, verdicts) u(i, v) where u.v = 'fail'), 'failed');
  perform bellhand.finish(array(select u.i from unnest(ours, verdicts) u(i, v) where u.v = 'cancel'), 'cancelled');
  perform bellhand.make_ready(array(select u.i from unnest(ours, verdicts) u(i, v) where u.v in ('retry', 'crash', 'snooze', 'release')));
  return query select * from unnest(ours, verdicts);
end $$;
