-- Moves completed jobs to history in one statement, fenced by (id, epoch), and returns the ids it accepted; the others
-- were lost to a newer claim. Leases whose last job this was go with it, and jobs that waited are released.
create or replace function bellhand.settle_completed(
  p_ids bigint[], p_epochs integer[], p_partial boolean[], p_results text[], p_progress text[], p_leases bigint[])
returns setof bigint language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_nestloop = off
set enable_mergejoin = off set jit = off as $$
declare
  accepted bigint[];
begin
  with u as materialized (
    select * from unnest(p_ids, p_epochs, p_partial, p_results, p_progress) u(id, epoch, partial, result, progress)),
  gone as (
    delete from bellhand.jobs j using u
      where j.id = any (p_ids) and j.id = u.id and j.epoch = u.epoch and j.state = 'running'
      returning j.*, u.partial, u.result, u.progress as last_progress),
  kept as (
    insert into bellhand.history (id, key, kind, payload, priority, run_at, attempts_max, timeout_seconds, unique_key, owner, tags,
        depends_on, depends_policy, notify, source, created_at, state, epoch, attempts, crashes, worker, started_at, progress,
        error, partial, result, finished_at)
      select g.id, g.key, g.kind, g.payload, g.priority, g.run_at, g.attempts_max, g.timeout_seconds, g.unique_key, g.owner, g.tags,
        g.depends_on, g.depends_policy, g.notify, g.source, g.created_at, 'completed', g.epoch, g.attempts, g.crashes, g.worker, g.started_at,
        coalesce(g.last_progress::jsonb, g.progress), case when g.partial then g.error end, g.partial, g.result::jsonb, bellhand.now()
      from gone g returning history.id)
  select array_agg(kept.id) into accepted from kept;
  if cardinality(p_leases) > 0 then
    delete from bellhand.leases where leases.id = any (p_leases);
  end if;
  if exists (select from bellhand.dependencies d where d.parent = any (accepted)) then
    perform bellhand.release_dependents(accepted);
  end if;
  return query select unnest(accepted);
end $$;
