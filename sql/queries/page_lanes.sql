-- Every lane with what it holds and runs, its limits, who has its slots, its pulse, and the last $1 seconds of it: how attempts ended, how long
-- they waited, and jobs that ended in each five minutes. From positions, leases, and the minutes that workers counted; never from jobs.
-- Sums are of floats, which take a third of the time of exact ones.
with minutes as materialized (
  select s.minute, s.kind, s.outcome, sum(s.jobs::float8) as jobs, sum(s.wait_seconds) as wait_seconds, sum(s.run_seconds) as run_seconds
  from bellhand.stats s where s.minute between (select bellhand.now() - make_interval(secs => $1)) and (select bellhand.now()) group by 1, 2, 3),
ended as materialized (
  select m.kind, floor(extract(epoch from c.now - m.minute)::float8 / 300)::int as part, case m.outcome when 'partial' then 'completed' else m.outcome end as outcome,
    sum(m.jobs) as jobs, sum(m.wait_seconds) as wait_seconds, sum(m.run_seconds) as run_seconds
  from minutes m cross join (select bellhand.now() as now offset 0) c group by 1, 2, 3),
of_lane as (
  select k.lane, sum(e.jobs) filter (where e.outcome = 'completed') as done, sum(e.jobs) filter (where e.outcome = 'fail') as failed, sum(e.jobs) as attempts,
    sum(e.wait_seconds) as wait_seconds, sum(e.run_seconds) as run_seconds
  from ended e join bellhand.kinds k on k.name = e.kind group by 1),
parts as (
  select p.lane, jsonb_agg(jsonb_build_array(p.part, p.jobs)) as parts from (
    select k.lane, e.part, sum(e.jobs)::bigint as jobs from ended e join bellhand.kinds k on k.name = e.kind
    where e.outcome in ('completed', 'fail') group by 1, 2) p group by 1),
running as (
  select k.lane, count(*) as jobs from bellhand.running r join bellhand.jobs j on j.id = r.id and j.epoch = r.epoch join bellhand.kinds k on k.name = j.kind group by 1)
select l.lane, l.paused, l.paused_reason, l.concurrency, l.rate_per_second, l.pending, l.scheduled, l.parked, n.source,
  l.oldest_due_seconds::float8 as oldest_due_seconds, coalesce(r.jobs, 0) as running, coalesce(o.done, 0)::bigint as done, coalesce(o.failed, 0)::bigint as failed,
  coalesce(o.attempts, 0)::bigint as attempts, coalesce(o.wait_seconds, 0) as wait_seconds, coalesce(o.run_seconds, 0) as run_seconds,
  coalesce(p.parts, '[]')::text as parts, c.roundtrip_seconds, c.back_at,
  array(select coalesce(w.name, 'a lost worker') || ': ' || h.slots from bellhand.lane_holds h left join bellhand.workers w on w.id = h.worker
    where h.lane = n.id and h.slots > 0 order by w.name) as holders
from bellhand.lane_stats l join bellhand.lanes n on n.name = l.lane left join of_lane o on o.lane = n.id left join parts p on p.lane = n.id
  left join running r on r.lane = n.id left join bellhand.canaries c on c.lane = n.id and c.back_at is not null
order by l.lane
