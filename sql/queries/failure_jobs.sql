-- The $2 jobs of group $1 that failed last and still stand so; of one that completed in part the error of its first failed step.
select h.id, h.key, h.owner, h.finished_at, h.attempts, bellhand.error_line(coalesce(h.error, (select s.error from bellhand.steps s
    where s.job = h.id and s.state = 'failed' order by s.position limit 1))) as error
from (select f.job, f.finished_at from bellhand.failure_jobs f where f.fingerprint = $1 order by f.finished_at desc limit 10 * $2) f
join bellhand.history h on h.id = f.job and h.finished_at = f.finished_at order by h.finished_at desc limit $2
