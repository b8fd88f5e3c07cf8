-- The kinds that daemons have published (all, or $1), each with its lane and how many live workers handle it.
select k.name, l.name as lane, k.priority, k.attempts_max, k.timeout_seconds, k.step_timeout_seconds, k.backoff_base_seconds, k.backoff_max_seconds, k.side_effects, k.summary, k.paused, k.paused_reason, k.published_at, k.schema::text as schema,
  (select count(*) from bellhand.workers w where k.name = any (w.kinds) and (w.lanes = '{}' or l.name = any (w.lanes)) and not w.draining) as workers,
  bellhand.now() as now
from bellhand.kinds k join bellhand.lanes l on l.id = k.lane where $1::text is null or k.name = $1 order by k.name
