-- What a bulk action would reach, and nothing happens: how many jobs (10,000 are done at once; `more` says that there are others), of
-- which kinds and states, some ids, the steps that a retry skips, jobs that would fall with them, and how many seconds it adds to the
-- busiest lane (null: never measured).
create or replace function bellhand.bulk_preview(p_filter jsonb, p_action text, p_arguments jsonb default '{}', p_limit integer default 10000,
  out jobs bigint, out more boolean, out kinds jsonb, out states jsonb, out examples bigint[], out steps_done bigint, out steps_total bigint,
  out dependents bigint, out adds_seconds float8, out undo_seconds float8)
language plpgsql stable set jit = off as $$
declare
  ids bigint[]; of_kinds text[]; of_states text[];
begin
  perform bellhand.bulk_refuse(p_filter, p_action, p_arguments);
  select array_agg(m.id), array_agg(m.kind), array_agg(m.state) into ids, of_kinds, of_states
    from bellhand.bulk_matching(p_filter, p_action, p_limit + 1) m;
  jobs := least(coalesce(cardinality(ids), 0), p_limit); more := coalesce(cardinality(ids), 0) > p_limit;
  ids := ids[:p_limit]; of_kinds := of_kinds[:p_limit]; of_states := of_states[:p_limit]; examples := coalesce(ids[:10], '{}');
  kinds := coalesce((select jsonb_object_agg(x.k, x.n) from (select k, count(*) as n from unnest(of_kinds) k group by k) x), '{}');
  states := coalesce((select jsonb_object_agg(x.s, x.n) from (select s, count(*) as n from unnest(of_states) s group by s) x), '{}');
  if p_action = 'retry' then
    select count(*) filter (where s.state = 'completed'), count(*) into steps_done, steps_total from bellhand.steps s where s.job = any (ids[:1000]);
  elsif p_action = 'cancel' then
    dependents := (select count(*) from bellhand.dependencies d where d.parent = any (ids) and d.child <> all (ids));
  end if;
  if p_action in ('retry', 'resume', 'run_now') then
    adds_seconds := (select max(x.seconds) from (
      select sum(t.mean * (kinds ->> k.name)::bigint) / greatest(1, bellhand.lane_slots(k.lane)) as seconds
      from bellhand.kinds k join bellhand.run_times t on t.kind = k.name and t.step = '' where kinds ? k.name group by k.lane) x);
  end if;
  undo_seconds := bellhand.undo_seconds(p_action, p_arguments);
end $$;
