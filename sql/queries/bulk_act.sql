-- Tells the jobs that filter $1 names to do $2 with arguments $5, if they are $3, for reason $4, as actor $6.
select a.operation, a.jobs, a.undo_until, bellhand.now() as now
from (select set_config('bellhand.actor', $6, true) offset 0) who cross join lateral bellhand.bulk_act($1::text::jsonb, $2, $3, $4, $5::text::jsonb) a
