-- The steps of a job, in order.
select name, position, state, attempts, result::text as result, counters::text as counters, error, for_good, started_at, finished_at
from bellhand.steps where job = $1 order by position
