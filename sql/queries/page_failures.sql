-- The groups of failures seen in the last $1 seconds, the latest first, at most $2; muted ones only where $3; with how many of each
-- group failed in each of the last 24 hours, the oldest first.
select f.fingerprint, f.kind, f.error_class, f.message, f.jobs, f.first_at, f.last_at, f.muted, f.muted_by, f.muted_reason,
  array(select coalesce(x.jobs, 0) from generate_series(date_trunc('hour', bellhand.now()) - interval '23 hours', date_trunc('hour', bellhand.now()), '1 hour') h(hour)
    left join bellhand.failure_hours x on x.fingerprint = f.fingerprint and x.hour = h.hour order by h.hour) as hours
from (select * from bellhand.failure_groups g where g.last_at > bellhand.now() - make_interval(secs => $1) and (not g.muted or $3::boolean)
  order by g.last_at desc limit $2) f order by f.last_at desc
