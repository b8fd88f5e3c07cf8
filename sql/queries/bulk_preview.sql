-- What action $2 with arguments $3 would reach of the jobs that filter $1 names, counted also by what their kinds do outside; nothing happens.
select p.jobs, p.more, p.kinds::text as kinds, e.side_effects::text as side_effects, p.states::text as states, p.examples, p.steps_done, p.steps_total, p.dependents, p.adds_seconds, p.undo_seconds
from bellhand.bulk_preview($1::text::jsonb, $2, $3::text::jsonb) p cross join lateral (
  select coalesce(jsonb_object_agg(x.said, x.jobs), '{}') as side_effects from (
    select coalesce(k.side_effects, 'unknown') as said, sum(u.value::bigint) as jobs
    from jsonb_each_text(p.kinds) u left join bellhand.kinds k on k.name = u.key group by 1) x) e
