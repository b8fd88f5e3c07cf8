-- Every lane with what it holds, how old its oldest due job is, and what runs; counts positions and leases, never jobs.
select l.lane, l.paused, l.paused_reason, l.paused_until, l.concurrency, l.rate_per_second, l.pending, l.scheduled, l.parked, l.oldest_due_seconds::float8 as oldest_due_seconds,
  coalesce(r.running, 0) as running, extract(epoch from bellhand.now())::float8 as sampled_at
from bellhand.lane_stats l
left join (
  select n.name, count(*) as running
  from bellhand.running r join bellhand.jobs j on j.id = r.id and j.epoch = r.epoch
  join bellhand.kinds k on k.name = j.kind join bellhand.lanes n on n.id = k.lane group by n.name) r on r.name = l.lane
order by l.lane
