-- Schedules whose tick has come, or that have no next tick yet, or one worked out before the clock was set back, with the database's time.
-- One that had an error is left out for five minutes.
select name, cron, timezone, missed, missed_max, next_at, last_at, bellhand.now() as now
from bellhand.schedules where not paused and (next_at is null or next_at <= bellhand.now() or counted_at > bellhand.now() + interval '1 minute')
  and (again_at > bellhand.now() and again_at <= bellhand.now() + interval '5 minutes') is not true
