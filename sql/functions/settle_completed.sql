-- Moves completed jobs to history in one statement, fenced by (id, epoch) and the lease, and returns the ids that were lost
-- to a newer claim, so mostly none. p_held are the leases that these jobs came with, p_leases those whose last jobs these
-- were: they go too. Jobs that waited for these are released, and who wants to know is told. p_epochs may hold one epoch for all, and what is null for all
-- may be left out of p_partial, p_results and p_progress.
create or replace function bellhand.settle_completed(
  p_worker uuid, p_held bigint[], p_ids bigint[], p_epochs integer[], p_partial boolean[], p_results text[], p_progress text[],
  p_run_seconds real[], p_leases bigint[])
returns bigint[] language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_nestloop = off
set enable_mergejoin = off set jit = off as $$
declare
  ours bigint[] := bellhand.still_held(p_worker, p_held, p_ids); t timestamptz := bellhand.now(); moved bigint; lost bigint[];
begin
  with u as materialized (
    select * from unnest(ours, p_epochs, p_partial, p_results, p_progress, p_run_seconds) u(id, epoch, partial, result, progress, run_seconds)),
  gone as (
    delete from bellhand.jobs j using u
      where j.id = any (ours) and j.id = u.id and j.epoch = coalesce(u.epoch, p_epochs[1])
      returning j.*, coalesce(u.partial, false) as partial, u.result, u.progress as last_progress, u.run_seconds)
  insert into bellhand.history (id, key, kind, payload, priority, run_at, attempts_max, timeout_seconds, unique_key, owner, tags,
      depends_on, depends_policy, notify, source, created_at, state, epoch, attempts, crashes, worker, started_at, progress,
      error, partial, result, finished_at)
    select g.id, g.key, g.kind, g.payload, g.priority, g.run_at, g.attempts_max, g.timeout_seconds, g.unique_key, g.owner, g.tags,
      g.depends_on, g.depends_policy, g.notify, g.source, g.created_at, 'completed', g.epoch, g.attempts, g.crashes, p_worker,
      t - g.run_seconds * interval '1 second', coalesce(g.last_progress::jsonb, g.progress), case when g.partial then g.error end,
      g.partial, g.result::jsonb, t
    from gone g;
  get diagnostics moved = row_count;
  if moved < cardinality(p_ids) then
    -- Known by what only this call can have written.
    lost := array(select x.asked from unnest(p_ids, ours) x(asked, held) where x.held is null or not exists (
      select from bellhand.history h where h.id = x.held and h.worker = p_worker and h.finished_at = t));
  end if;
  if cardinality(p_leases) > 0 then
    delete from bellhand.leases l where l.id = any (p_leases) and l.worker = p_worker;
  end if;
  if exists (select from bellhand.dependencies d where d.parent = any (ours)) then
    perform bellhand.release_dependents(array(select i from unnest(ours) i where i <> all (coalesce(lost, '{}'))));
  end if;
  -- Whether there is anything to find is asked first: looking a thousand ids up in an empty index is a thousand looks.
  if (exists (select from bellhand.watched) and exists (select from bellhand.watched w where w.job = any (ours)))
     or exists (select from bellhand.subscriptions s where s.states && '{completed,partial}') then
    perform bellhand.tell_over(array(select i from unnest(ours) i where i <> all (coalesce(lost, '{}'))), t);
  end if;
  return lost;
end $$;
