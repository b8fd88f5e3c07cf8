-- Every lane with what it holds and runs, its limits, who has its slots, its pulse, and the last $1 seconds of it: how attempts ended in each
-- five minutes and in all, and how long they waited, in the buckets WAITS of stats.py. From positions, leases, and the minutes that workers
-- counted; never from jobs. Sums are of floats, which take a third of the time of exact ones.
with minutes as materialized (
  select s.minute, s.kind, s.outcome, sum(s.jobs::float8) as jobs, sum(s.wait_seconds) as wait_seconds, sum(s.run_seconds) as run_seconds
  from bellhand.stats s where s.minute between (select bellhand.now() - make_interval(secs => $1)) and (select bellhand.now()) group by 1, 2, 3),
ended as materialized (
  select k.lane, floor(extract(epoch from c.now - m.minute)::float8 / 300)::int as part,
    coalesce(sum(m.jobs) filter (where m.outcome in ('completed', 'partial')), 0) as done, coalesce(sum(m.jobs) filter (where m.outcome = 'fail'), 0) as failed,
    coalesce(sum(m.jobs) filter (where m.outcome in ('retry', 'crash')), 0) as again, coalesce(sum(m.jobs) filter (where m.outcome = 'cancel'), 0) as cancelled,
    sum(m.jobs) as attempts, sum(m.wait_seconds) as wait_seconds, sum(m.run_seconds) as run_seconds
  from minutes m cross join (select bellhand.now() as now offset 0) c join bellhand.kinds k on k.name = m.kind group by 1, 2),
of_lane as (
  select e.lane, sum(e.done) as done, sum(e.failed) as failed, sum(e.again) as again, sum(e.cancelled) as cancelled, sum(e.attempts) as attempts,
    sum(e.wait_seconds) as wait_seconds, sum(e.run_seconds) as run_seconds,
    jsonb_agg(jsonb_build_array(e.part, e.done::bigint, e.failed::bigint, e.again::bigint, e.cancelled::bigint)) as parts
  from ended e group by 1),
waited as (
  -- Written out: to unnest and group them takes ten times as long.
  select k.lane, array[sum(w.a), sum(w.b), sum(w.c), sum(w.d), sum(w.e), sum(w.f), sum(w.g), sum(w.h), sum(w.i), sum(w.j)]::bigint[] as waits from (
    select s.kind, sum(s.waits[1]) as a, sum(s.waits[2]) as b, sum(s.waits[3]) as c, sum(s.waits[4]) as d, sum(s.waits[5]) as e, sum(s.waits[6]) as f,
      sum(s.waits[7]) as g, sum(s.waits[8]) as h, sum(s.waits[9]) as i, sum(s.waits[10]) as j
    from bellhand.stats s where s.minute between (select bellhand.now() - make_interval(secs => $1)) and (select bellhand.now()) group by 1) w
    join bellhand.kinds k on k.name = w.kind group by 1),
running as (
  select k.lane, count(*) as jobs from bellhand.running r join bellhand.jobs j on j.id = r.id and j.epoch = r.epoch join bellhand.kinds k on k.name = j.kind group by 1)
select l.lane, l.paused, l.paused_reason, l.paused_until, l.concurrency, l.rate_per_second, l.pending, l.scheduled, l.parked, n.source,
  l.oldest_due_seconds::float8 as oldest_due_seconds, coalesce(r.jobs, 0) as running, coalesce(o.done, 0)::bigint as done, coalesce(o.failed, 0)::bigint as failed,
  coalesce(o.again, 0)::bigint as again, coalesce(o.cancelled, 0)::bigint as cancelled,
  coalesce(o.attempts, 0)::bigint as attempts, coalesce(o.wait_seconds, 0) as wait_seconds, coalesce(o.run_seconds, 0) as run_seconds, d.waits,
  coalesce(o.parts, '[]')::text as parts, c.roundtrip_seconds, c.back_at,
  array(select coalesce(w.name, 'a lost worker') || ': ' || h.slots from bellhand.lane_holds h left join bellhand.workers w on w.id = h.worker
    where h.lane = n.id and h.slots > 0 order by w.name) as holders
from bellhand.lane_stats l join bellhand.lanes n on n.name = l.lane left join of_lane o on o.lane = n.id left join waited d on d.lane = n.id
  left join running r on r.lane = n.id left join bellhand.canaries c on c.lane = n.id and c.back_at is not null
order by l.lane
