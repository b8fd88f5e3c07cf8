-- The steps of job $1 that ended, or if they run began, at $2 and behind position $3 or later, in this order, at most $4; columns as in steps.sql, and `at`.
select x.name, x.position, x.state, x.attempts, x.result::text as result, x.counters::text as counters, x.error, x.for_good, x.started_at, x.finished_at, x.at
from (select s.*, coalesce(s.finished_at, s.started_at) as at from bellhand.steps s where s.job = $1) x
where (x.at, x.position) > ($2, $3) order by x.at, x.position limit $4
