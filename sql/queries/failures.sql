-- The groups of failures, the last first: muted ones too if $1, of kind $2, at most $3; each with its failures hour by hour over a day, and
-- how many jobs stand failed so now, counted to 101.
select g.fingerprint, g.kind, g.error_class, g.message, g.example, g.jobs, g.first_at, g.last_at, g.muted, g.muted_until, g.muted_by, g.muted_reason, g.muted_until_deploy,
  bellhand.failures_open(g.fingerprint, 101) as open,
  array(select coalesce(h.jobs, 0) from generate_series(date_trunc('hour', bellhand.now(), 'UTC') - interval '23 hours', date_trunc('hour', bellhand.now(), 'UTC'),
    interval '1 hour') t(hour) left join bellhand.failure_hours h on h.fingerprint = g.fingerprint and h.hour = t.hour order by t.hour) as trend,
  bellhand.now() as now
from (select x.* from bellhand.failure_groups x where ($1 or not x.muted) and ($2::text is null or x.kind = $2) order by x.last_at desc limit $3) g
order by g.last_at desc
