-- How attempts ended in buckets of $2 seconds since $1 seconds ago, by kind ($3, or all together) and outcome, with the seconds that
-- they waited and ran: from the minutes that workers counted.
select to_timestamp(floor(date_part('epoch', s.minute) / $2) * $2) as at, case when $3::text is null then null else s.kind end as kind,
  case s.outcome when 'fail' then 'failed' when 'cancel' then 'cancelled' else s.outcome end as outcome,
  sum(s.jobs)::bigint as jobs, sum(s.wait_seconds) as wait_seconds, sum(s.run_seconds) as run_seconds
from bellhand.stats s
where s.minute > bellhand.now() - make_interval(secs => $1) and ($3::text is null or s.kind = $3)
group by 1, 2, 3 order by 1, 2, 3
