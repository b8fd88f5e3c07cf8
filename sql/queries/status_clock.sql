-- The database's time, and when the next schedule is due.
select bellhand.now() as now,
  (select s.name from bellhand.schedules s where not s.paused and s.next_at is not null order by s.next_at limit 1) as schedule,
  (select extract(epoch from min(s.next_at) - bellhand.now())::float8 from bellhand.schedules s where not s.paused) as schedule_seconds
