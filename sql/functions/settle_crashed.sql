-- Ends attempts that died with their worker, as they stood in its leases: fenced like every settle; attempts and crashes
-- count, and decide. Nobody knows which of them killed it, unless one was a suspect, which runs alone; those that waited
-- for their turn (p_waiting) had not begun, and go back without burning an attempt.
create or replace function bellhand.settle_crashed(
  p_worker uuid, p_ids bigint[], p_epochs integer[], p_run_seconds real[], p_suspect bigint, p_waiting bigint[], p_crashes_max integer,
  p_error text)
returns table (id bigint, outcome text) language sql as $$
  select s.* from (
    select array_agg(u.id) ids, array_agg(u.epoch) epochs, array_agg(u.run_seconds) run_seconds,
      array_agg(case when u.id is distinct from p_suspect and (p_suspect = any (p_ids) or u.id = any (p_waiting)) then 'release'
                     when j.crashes + 1 >= p_crashes_max or j.attempts + 1 >= coalesce(j.attempts_max, k.attempts_max, 3) then 'crash_fail'
                     else 'crash' end) outcomes
    from unnest(p_ids, p_epochs, p_run_seconds) u(id, epoch, run_seconds)
    join bellhand.jobs j on j.id = u.id and j.epoch = u.epoch
    left join bellhand.kinds k on k.name = j.kind) d
  cross join lateral bellhand.settle_others(p_worker, null, d.ids, d.epochs, d.outcomes, array_fill(0::float8, array[cardinality(d.ids)]),
    array_fill(p_error, array[cardinality(d.ids)]), array_fill(null::text, array[cardinality(d.ids)]), d.run_seconds, '{}') s
  where d.ids is not null
$$;
