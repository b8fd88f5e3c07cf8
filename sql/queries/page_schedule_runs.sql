-- How the newest $2 ticks of each of the schedules $1 ended, the oldest first, and how long their jobs took; bounded, see schedule_runs.sql.
select r.schedule, r.tick, r.job, r.state, r.seconds from bellhand.schedule_runs($1, $2) r
