-- Every lane as the gauges show it; $1 are the kinds of the daemon that asks, $2 the timeouts of their steps in seconds (null: none).
-- Of what runs, `step_seconds` and `step_limit_seconds` are of the job that is nearest to its limit or furthest over it: its age
-- against its own timeout where it has one, else the time since its last step ended against the timeout of its steps.
-- A job that a worker put aside for want of a handler, and that another one has, is `elsewhere`: that one takes it up in a moment.
-- Counts positions, leases and small tables; of what could be long it counts a bounded part.
with own as (
  select * from unnest($1::text[], $2::float8[]) o(kind, step_seconds)),
running as (
  select k.lane, count(*) as jobs, (array_agg(c.age order by c.age / c.most desc nulls last, c.age desc))[1] as age,
    (array_agg(c.most order by c.age / c.most desc nulls last, c.age desc))[1] as most
  from bellhand.running r join bellhand.jobs j on j.id = r.id and j.epoch = r.epoch
    join bellhand.kinds k on k.name = j.kind left join own on own.kind = j.kind
    cross join lateral (select coalesce(j.timeout_seconds, k.timeout_seconds) as whole) t
    cross join lateral (select coalesce(t.whole, own.step_seconds)::float8 as most, extract(epoch from bellhand.now() - greatest(r.claimed_at,
      case when t.whole is null then (select max(s.finished_at) from bellhand.steps s where s.job = r.id) end))::float8 as age) c
  group by k.lane),
pace as (
  select k.lane, sum(s.jobs) / 600.0 as per_second from bellhand.stats s join bellhand.kinds k on k.name = s.kind
  where s.minute > bellhand.now() - interval '10 minutes' and s.outcome in ('completed', 'partial', 'fail', 'cancel') group by k.lane),
blocked as (
  select k.lane, count(*) as jobs from (select distinct d.child from (select child from bellhand.dependencies limit 10000) d) d
    join bellhand.jobs j on j.id = d.child join bellhand.kinds k on k.name = j.kind group by k.lane),
served as (
  select distinct unnest(w.kinds) as kind from bellhand.workers w where not w.draining),
parked as (
  select k.lane, case when v.kind is not null and p.reason in ('no_handler', 'unknown_kind') then 'elsewhere' else p.reason end as reason, count(*) as jobs
  from (select kind, reason from bellhand.parked limit 100001) p
    left join bellhand.kinds k on k.name = p.kind left join served v on v.kind = p.kind group by 1, 2)
select s.lane, s.paused, s.concurrency, s.pending, s.scheduled, s.parked, coalesce(b.jobs, 0) as blocked, coalesce(r.jobs, 0) as running,
  case when s.paused then 0 else s.oldest_due_seconds end::float8 as oldest_due_seconds, r.age as step_seconds, r.most as step_limit_seconds,
  p.per_second::float8 as pace_per_second, c.roundtrip_seconds as canary_roundtrip_seconds, extract(epoch from c.back_at)::float8 as canary_back_at,
  extract(epoch from case when c.job is not null then bellhand.now() - c.sent_at end)::float8 as canary_waiting_seconds, c.lane is not null as has_canary,
  (select jsonb_object_agg(x.reason, x.jobs) from parked x where x.lane = l.id)::text as parked_by_reason,
  extract(epoch from bellhand.now())::float8 as sampled_at
from bellhand.lanes l join bellhand.lane_stats s on s.lane = l.name
  left join running r on r.lane = l.id left join pace p on p.lane = l.id left join blocked b on b.lane = l.id left join bellhand.canaries c on c.lane = l.id
union all
select 'other', false, null, 0, 0, sum(x.jobs), 0, 0, 0, null, null, null, null, null, null, false, jsonb_object_agg(x.reason, x.jobs)::text,
  extract(epoch from bellhand.now())::float8
from parked x where x.lane is null having count(*) > 0
order by 1
