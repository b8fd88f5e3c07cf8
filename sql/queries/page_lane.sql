-- What the page of lane $1 shows besides what page_lanes.sql says: the next $2 jobs in the order they will run, what has its slots, how many may begin at once by its rate, whose the next 1,000 are, how long the newest
-- jobs that ended had waited (2,000 in all, found by the index of their kinds; what depended on others was not only waiting for a slot), the
-- hands of the workers that serve it, and who paused it. Each part is bounded.
with lane as materialized (select l.id, l.name, l.rate_burst, l.paused_at, l.paused_by,
  case when l.rate_per_second is not null then
    greatest(0, floor(bellhand.refilled(l.tokens, l.tokens_at, l.rate_burst, l.rate_per_second)))::integer end as tokens from bellhand.lanes l where l.name = $1),
kinds as materialized (select k.name, count(*) over () as n from lane l join bellhand.kinds k on k.lane = l.id order by k.name limit 100)
select l.name, l.rate_burst, l.tokens, o.owners::text as owners, coalesce(o.jobs, 0) as looked_at,
  (select jsonb_agg(jsonb_build_object('id', j.id, 'kind', j.kind, 'owner', j.owner, 'priority', j.priority, 'run_at', j.run_at) order by q.place) from (
    select x.id, x.epoch, row_number() over () as place from (
      select y.id, y.epoch from bellhand.queue y where y.lane = l.id order by y.lane, y.rank, y.xid, y.id limit $2::integer) x) q
    -- Each by its id, however many the planner takes $2 for.
    cross join lateral (select * from bellhand.jobs y where y.id = q.id and y.epoch = q.epoch offset 0) j)::text as next,
  (select jsonb_agg(jsonb_build_object('id', r.id, 'kind', r.kind, 'worker', w.name, 'seconds', r.seconds) order by r.seconds desc)
    from bellhand.running_in(l.id, $2::integer) r left join bellhand.workers w on w.id = r.worker)::text as occupants,
  array(select extract(epoch from h.started_at - h.run_at)::float8 from kinds k cross join lateral (
    select x.started_at, x.run_at from bellhand.history x where x.kind = k.name and x.started_at is not null and x.depends_on is null
    order by x.finished_at desc limit 2000 / greatest(k.n, 1)) h) as waits,
  coalesce(h.hands, 0) as hands, coalesce(h.busy, 0) as busy, h.workers,
  l.paused_at, l.paused_by
from lane l cross join lateral (
  select sum(w.capacity) as hands, sum(w.busy) as busy, count(*) as workers from bellhand.workers w where not w.draining and (w.lanes = '{}' or l.name = any (w.lanes))) h
-- Of those without an owner nothing is said, but they count.
left join lateral (
  select sum(x.jobs)::bigint as jobs, jsonb_agg(jsonb_build_object('owner', x.owner, 'jobs', x.jobs) order by x.jobs desc, x.owner) filter (where x.owner is not null and x.place <= 4) as owners from (
    select j.owner, count(*) as jobs, row_number() over (order by j.owner is null, count(*) desc, j.owner) as place from (
      select y.id, y.epoch from bellhand.queue y where y.lane = l.id order by y.lane, y.rank, y.xid, y.id limit 1000) q
    cross join lateral (select z.owner from bellhand.jobs z where z.id = q.id and z.epoch = q.epoch offset 0) j group by j.owner) x) o on true
