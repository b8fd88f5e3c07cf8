-- How jobs of kinds like $1 (null: any) ended, ever, as the workers counted it; seconds are those that they ran.
select t.outcome, sum(t.jobs)::bigint as jobs, sum(t.run_seconds) as run_seconds
from bellhand.totals t where $1::text is null or t.kind like $1 group by t.outcome
