-- Seconds until the next tick of any schedule; null when there is none.
select extract(epoch from min(next_at) - bellhand.now())::float8 from bellhand.schedules where not paused
