-- Every lane with what it holds and runs, its limits, who has its slots, its pulse, and the last $1 seconds of it: how attempts ended in each
-- five minutes and in all, and how long they waited, in the buckets WAITS of stats.py. From positions, leases, and the minutes that workers
-- counted; never from jobs. Sums are of floats, which take a third of the time of exact ones.
with clock as materialized (select bellhand.now() as now),
-- One pass over the minutes, in which sums of 10 columns written out take a tenth of the time that unnesting them takes, and date_part half of
-- extract's, which is exact.
ended as materialized (
  select s.kind, floor(date_part('epoch', c.now - s.minute) / 300)::int as part, s.outcome, sum(s.jobs::float8) as jobs, sum(s.wait_seconds) as wait_seconds, sum(s.run_seconds) as run_seconds,
    sum(s.waits[1]) as a, sum(s.waits[2]) as b, sum(s.waits[3]) as c, sum(s.waits[4]) as d, sum(s.waits[5]) as e, sum(s.waits[6]) as f, sum(s.waits[7]) as g, sum(s.waits[8]) as h, sum(s.waits[9]) as i, sum(s.waits[10]) as j
  from clock c cross join bellhand.stats s where s.minute between (select now - make_interval(secs => $1) from clock) and (select now from clock) group by 1, 2, 3),
in_parts as (
  select k.lane, e.part,
    coalesce(sum(e.jobs) filter (where e.outcome in ('completed', 'partial')), 0) as done, coalesce(sum(e.jobs) filter (where e.outcome = 'fail'), 0) as failed,
    coalesce(sum(e.jobs) filter (where e.outcome in ('retry', 'crash')), 0) as again, coalesce(sum(e.jobs) filter (where e.outcome = 'cancel'), 0) as cancelled,
    sum(e.jobs) as attempts, sum(e.wait_seconds) as wait_seconds, sum(e.run_seconds) as run_seconds, sum(e.a) as a, sum(e.b) as b, sum(e.c) as c, sum(e.d) as d, sum(e.e) as e, sum(e.f) as f, sum(e.g) as g, sum(e.h) as h, sum(e.i) as i, sum(e.j) as j
  from ended e join bellhand.kinds k on k.name = e.kind group by 1, 2),
of_lane as (
  select p.lane, sum(p.done) as done, sum(p.failed) as failed, sum(p.again) as again, sum(p.cancelled) as cancelled, sum(p.attempts) as attempts,
    sum(p.wait_seconds) as wait_seconds, sum(p.run_seconds) as run_seconds,
    array[sum(p.a), sum(p.b), sum(p.c), sum(p.d), sum(p.e), sum(p.f), sum(p.g), sum(p.h), sum(p.i), sum(p.j)]::bigint[] as waits,
    jsonb_agg(jsonb_build_array(p.part, p.done::bigint, p.failed::bigint, p.again::bigint, p.cancelled::bigint)) as parts
  from in_parts p group by 1),
running as (
  select k.lane, count(*) as jobs from bellhand.running r join bellhand.jobs j on j.id = r.id and j.epoch = r.epoch join bellhand.kinds k on k.name = j.kind group by 1)
select l.lane, l.paused, l.paused_reason, n.paused_at, l.paused_until, l.concurrency, l.rate_per_second, l.pending, l.scheduled, l.parked, n.source,
  l.oldest_due_seconds::float8 as oldest_due_seconds, coalesce(r.jobs, 0) as running, coalesce(o.done, 0)::bigint as done, coalesce(o.failed, 0)::bigint as failed,
  coalesce(o.again, 0)::bigint as again, coalesce(o.cancelled, 0)::bigint as cancelled,
  coalesce(o.attempts, 0)::bigint as attempts, coalesce(o.wait_seconds, 0) as wait_seconds, coalesce(o.run_seconds, 0) as run_seconds, o.waits,
  coalesce(o.parts, '[]')::text as parts, c.roundtrip_seconds, c.back_at,
  (select extract(epoch from x.now - a.sent_at)::float8 from clock x, bellhand.canaries a where a.lane = n.id and a.job is not null and not l.paused and a.sent_at < x.now - interval '2 minutes') as pulse_late_seconds,
  array(select coalesce(w.name, 'a lost worker') || ': ' || h.slots from bellhand.lane_holds h left join bellhand.workers w on w.id = h.worker
    where h.lane = n.id and h.slots > 0 order by w.name) as holders
from bellhand.lane_stats l join bellhand.lanes n on n.name = l.lane left join of_lane o on o.lane = n.id
  left join running r on r.lane = n.id left join bellhand.canaries c on c.lane = n.id and c.back_at is not null
order by l.lane
