-- Jobs by their ids, live or over, as all_jobs shows them. Reads them by id whatever the planner believes: a partition of history
-- that nobody has analyzed yet would be read whole.
create or replace function bellhand.jobs_by_id(p_ids bigint[]) returns setof bellhand.all_jobs language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off set max_parallel_workers_per_gather = 0 as $$
begin
  return query select a.* from bellhand.all_jobs a where a.id = any (p_ids);
end $$;
