-- Ends attempts that died with their worker: fenced like every settle; attempts and crashes count, and decide.
create or replace function bellhand.settle_crashed(p_ids bigint[], p_epochs integer[], p_crashes_max integer, p_error text)
returns table (id bigint, outcome text) language sql as $$
  select s.* from (
    select array_agg(u.id) ids, array_agg(u.epoch) epochs,
      array_agg(case when j.crashes + 1 >= p_crashes_max or j.attempts + 1 >= coalesce(j.attempts_max, k.attempts_max, 3)
                     then 'crash_fail' else 'crash' end) outcomes
    from unnest(p_ids, p_epochs) u(id, epoch)
    join bellhand.jobs j on j.id = u.id and j.epoch = u.epoch and j.state = 'running'
    left join bellhand.kinds k on k.name = j.kind) d
  cross join lateral bellhand.settle_others(d.ids, d.epochs, d.outcomes, array_fill(0::float8, array[cardinality(d.ids)]),
    array_fill(p_error, array[cardinality(d.ids)]), array_fill(null::text, array[cardinality(d.ids)]), '{}') s
  where d.ids is not null
$$;
