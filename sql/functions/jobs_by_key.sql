-- Up to three jobs, live or over, whose id lies between two and whose key does: how a key is found by its first digits, which
-- hold the id. Reads a range of ids and stops at the third job, so that four digits cost no more than thirty.
create or replace function bellhand.jobs_by_key(p_low bigint, p_high bigint, p_first uuid, p_last uuid) returns table (id bigint, key uuid)
language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_hashjoin = off set jit = off set max_parallel_workers_per_gather = 0 as $$
begin
  return query select a.id, a.key from bellhand.all_jobs a
    where a.id between p_low and p_high and a.key between p_first and p_last limit 3;
end $$;
