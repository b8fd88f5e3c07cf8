-- How the kinds fared in the last $1 seconds, from the minutes that workers counted; the histogram has the 17 buckets of stats.py.
select s.kind, coalesce(sum(s.jobs) filter (where s.outcome in ('completed', 'partial')), 0)::bigint as done,
  coalesce(sum(s.jobs) filter (where s.outcome = 'fail'), 0)::bigint as failed,
  coalesce(sum(s.jobs) filter (where s.outcome in ('retry', 'crash')), 0)::bigint as again, sum(s.run_seconds) / nullif(sum(s.jobs), 0) as run_seconds,
  -- Written out: to unnest and group them takes ten times as long.
  array[sum(s.histogram[1]), sum(s.histogram[2]), sum(s.histogram[3]), sum(s.histogram[4]), sum(s.histogram[5]), sum(s.histogram[6]), sum(s.histogram[7]), sum(s.histogram[8]), sum(s.histogram[9]), sum(s.histogram[10]), sum(s.histogram[11]), sum(s.histogram[12]), sum(s.histogram[13]), sum(s.histogram[14]), sum(s.histogram[15]), sum(s.histogram[16]), sum(s.histogram[17])]::bigint[] as histogram
from bellhand.stats s where s.minute between (select bellhand.now() - make_interval(secs => $1)) and (select bellhand.now()) group by s.kind
