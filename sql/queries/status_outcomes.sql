-- How attempts ended in the last $1 seconds, by lane and outcome, from the minutes that the workers counted; and the
-- seconds that those jobs waited and ran.
select coalesce(l.name, 'unknown') as lane, case e.outcome when 'fail' then 'failed' when 'cancel' then 'cancelled' else e.outcome end as outcome,
  sum(e.jobs)::bigint as jobs, sum(e.wait_seconds) as wait_seconds, sum(e.run_seconds) as run_seconds
from (select s.kind, s.outcome, sum(s.jobs::float8) as jobs, sum(s.wait_seconds) as wait_seconds, sum(s.run_seconds) as run_seconds from bellhand.stats s
    where s.minute between (select bellhand.now() - make_interval(secs => $1)) and (select bellhand.now()) group by 1, 2) e
  left join bellhand.kinds k on k.name = e.kind left join bellhand.lanes l on l.id = k.lane
group by 1, 2 order by 1, 2
