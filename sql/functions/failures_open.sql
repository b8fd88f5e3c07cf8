-- How many jobs of a group stand failed now, counted to p_limit: one that was retried has left history. Planned once, for the plan of
-- each day's partition costs more than the count.
create or replace function bellhand.failures_open(p_fingerprint text, p_limit integer default 1000) returns bigint language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set enable_bitmapscan = off
set enable_sort = off set jit = off as $$
begin
  return (select count(*) from (
    select from bellhand.failure_jobs f join bellhand.history h on h.id = f.job and h.finished_at = f.finished_at
    where f.fingerprint = p_fingerprint order by f.finished_at desc limit p_limit) n);
end $$;
