-- How the attempts of job $1 ended, the latest $2 in order, as the log of events has them.
select e.at, e.type, e.data::text as data
from (
  select x.seq, x.at, x.type, x.data from bellhand.events x
  where x.job = $1 and x.type in ('attempt_failed', 'crashed', 'snoozed', 'released', 'parked', 'paused', 'failed', 'cancelled', 'retried', 'started_over')
  order by x.seq desc limit $2) e
order by e.seq
