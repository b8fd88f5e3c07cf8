-- Jobs $1 as the outside world sees them, each with its steps counted, its worker's beat and the time by the database's
-- clock; reads by id only. An id that a failover issued twice comes twice, the live one first.
select a.id, a.key, a.kind, a.lane, a.payload::text as payload, a.priority, a.run_at, a.attempts_max, a.timeout_seconds, a.unique_key, a.owner,
  a.tags::text as tags, a.depends_on, a.source, a.created_at, a.state, a.partial, a.stop, a.attempts, a.crashes, a.started_at, a.finished_at,
  a.progress::text as progress, a.result::text as result, a.error, w.name as worker, w.beat as heartbeat_at, s.steps_total, s.steps_done, s.steps_failed,
  bellhand.allowed_actions(case when a.partial then 'partial' else a.state end) as allowed_actions, bellhand.now() as now
from bellhand.jobs_by_id($1) a
left join bellhand.workers w on w.id = a.worker and a.state = 'running'
left join lateral (
  select count(*) as steps_total, count(*) filter (where x.state = 'completed') as steps_done, count(*) filter (where x.state = 'failed') as steps_failed
  from bellhand.steps x where x.job = a.id) s on true
order by a.id desc, a.finished_at desc nulls first
