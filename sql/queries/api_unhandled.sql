-- Of kinds $1 those whose jobs will wait, and why: no live worker handles the kind, or it or its lane is paused.
select n.name, k.paused_reason, l.name as lane, l.paused_reason as lane_reason, l.paused_until as lane_until,
  case when k.paused then 'kind_paused' when l.paused then 'lane_paused' else 'no_worker' end as code
from unnest($1::text[]) n(name)
left join bellhand.kinds k on k.name = n.name left join bellhand.lanes l on l.id = k.lane
where k.name is null or k.paused or l.paused or not exists (
  select from bellhand.workers w where k.name = any (w.kinds) and (w.lanes = '{}' or l.name = any (w.lanes)) and not w.draining)
