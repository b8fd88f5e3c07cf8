-- Measures how long runs take, for up to p_kinds kinds of which jobs completed since they were measured, those first that wait longest;
-- how many kinds. The sample: the newest 60 completions before each of seven moments of the last week, so that a burst is not all.
-- One daemon at a time, by the lock of the row in looks; reads history by (kind, finished_at) and steps by their job.
create or replace function bellhand.measure_runs(p_kinds integer default 5) returns integer language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  k record; measured integer := 0;
begin
  perform from bellhand.looks x where x.name = 'runs' and x.at < bellhand.now() - interval '10 seconds' for update skip locked;
  if not found then return 0; end if;
  update bellhand.looks x set at = bellhand.now() where x.name = 'runs';
  for k in select x.name from bellhand.kinds x left join bellhand.run_times t on t.kind = x.name and t.step = ''
      where (t.measured_at is null or t.measured_at < bellhand.now() - interval '5 minutes' or t.samples < 100)
        and exists (select from bellhand.history h where h.kind = x.name and h.finished_at > coalesce(t.measured_at, '-infinity'))
      order by t.measured_at nulls first, x.name limit p_kinds loop
    perform bellhand.measure_kind(k.name);
    measured := measured + 1;
  end loop;
  return measured;
end $$;
