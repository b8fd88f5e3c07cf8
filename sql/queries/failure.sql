-- The groups of failures whose fingerprint begins with $1, two at most, so that one can see whether it names one; as in failures.sql.
select g.fingerprint, g.kind, g.error_class, g.message, g.example, g.jobs, g.first_at, g.last_at, g.muted, g.muted_until, g.muted_by, g.muted_reason, g.muted_until_deploy,
  bellhand.failures_open(g.fingerprint) as open,
  array(select coalesce(h.jobs, 0) from generate_series(date_trunc('hour', bellhand.now(), 'UTC') - interval '23 hours', date_trunc('hour', bellhand.now(), 'UTC'),
    interval '1 hour') t(hour) left join bellhand.failure_hours h on h.fingerprint = g.fingerprint and h.hour = t.hour order by t.hour) as trend,
  bellhand.now() as now
from (select x.* from bellhand.failure_groups x where starts_with(x.fingerprint, $1) order by x.fingerprint limit 2) g order by g.fingerprint
