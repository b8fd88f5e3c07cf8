-- How many jobs worker $1 has brought to an end, by the minutes that it counted.
select coalesce(sum(s.jobs), 0)::bigint from bellhand.stats s
where s.worker = $1 and s.outcome in ('completed', 'partial', 'fail', 'cancel')
