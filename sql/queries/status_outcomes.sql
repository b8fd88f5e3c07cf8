-- How attempts ended in the last $1 seconds, by lane and outcome, from the minutes that the workers counted; and the
-- seconds that those jobs waited and ran.
select coalesce(l.name, 'unknown') as lane, case s.outcome when 'fail' then 'failed' when 'cancel' then 'cancelled' else s.outcome end as outcome,
  sum(s.jobs)::bigint as jobs, sum(s.wait_seconds) as wait_seconds, sum(s.run_seconds) as run_seconds
from bellhand.stats s left join bellhand.kinds k on k.name = s.kind left join bellhand.lanes l on l.id = k.lane
where s.minute between (select bellhand.now() - make_interval(secs => $1)) and (select bellhand.now())
group by 1, 2 order by 1, 2
