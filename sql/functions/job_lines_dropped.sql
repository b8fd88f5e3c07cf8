-- How many lines a job logged that are not kept: older than its newest, or more in a moment than a daemon takes.
create or replace function bellhand.job_lines_dropped(p_job bigint) returns bigint language sql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off as $$
  select greatest(0, coalesce(max(c.last) - sum(c.last - c.first + 1), 0))::bigint
  from (select distinct on (l.epoch, l.first) l.first, l.last from bellhand.job_lines l where l.job = p_job) c
$$;
