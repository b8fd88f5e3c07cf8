-- Schedules whose tick has come, or that have no next tick yet, with the database's time.
select name, cron, timezone, missed, missed_max, next_at, last_at, bellhand.now() as now
from bellhand.schedules where not paused and (next_at is null or next_at <= bellhand.now())
