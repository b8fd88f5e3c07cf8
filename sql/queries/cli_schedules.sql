-- The schedules, with when they are due and what they did last.
select s.name, s.cron, s.timezone, s.kind, s.payload::text as payload, s.priority, s.missed, s.missed_max, s.notify::text as notify, s.paused, s.source, s.next_at, s.last_at,
  s.last_job, s.error, bellhand.now() as now
from bellhand.schedules s order by s.next_at nulls last, s.name
