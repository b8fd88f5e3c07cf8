-- Jobs, live or over, whose id begins with these digits (any, for none), at most so many of each length, the newest first: for
-- completion. An id that begins so lies in one of a few ranges, so it reads the ends of those and never a table.
create or replace function bellhand.jobs_beginning(p_digits text, p_each integer) returns table (id bigint, kind text, state text)
language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_sort = off set jit = off set max_parallel_workers_per_gather = 0 as $$
declare
  low numeric := coalesce(nullif(p_digits, ''), '0')::numeric; high numeric := case when p_digits = '' then 9223372036854775807 else low end;
begin
  while low <= (select s.last_value from bellhand.jobs_id_seq s) loop
    return query (select j.id, j.kind, null::text from bellhand.jobs j
      where j.id between low::bigint and least(high, 9223372036854775807)::bigint order by j.id desc limit p_each);
    return query (select h.id, h.kind, h.state from bellhand.history h
      where h.id between low::bigint and least(high, 9223372036854775807)::bigint order by h.id desc limit p_each);
    exit when p_digits = '';
    low := low * 10; high := high * 10 + 9;
  end loop;
end $$;
