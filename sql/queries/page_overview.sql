-- The last $1 seconds minute by minute and lane by lane, the newest running jobs, the next schedules: from the minutes that workers
-- counted, leases and small tables, never from jobs. Sums are of floats, which take a third of the time of exact ones.
with clock as materialized (select bellhand.now() as now, date_trunc('minute', bellhand.now()) as minute),
ended as materialized (
  select s.minute, s.kind, case s.outcome when 'partial' then 'completed' when 'fail' then 'failed' else s.outcome end as outcome, sum(s.jobs::float8) as jobs,
    sum(s.run_seconds) as run_seconds
  from bellhand.stats s where s.minute > bellhand.now() - make_interval(secs => $1) group by 1, 2, 3),
minutes as (
  select e.minute, sum(e.jobs) filter (where e.outcome = 'completed') as done, sum(e.jobs) filter (where e.outcome = 'failed') as failed,
    sum(e.jobs) filter (where e.outcome in ('retry', 'crash')) as again, sum(e.run_seconds) / nullif(sum(e.jobs), 0) as run_seconds from ended e group by 1),
kinds as (select e.kind, e.minute, sum(e.jobs) as jobs from ended e where e.outcome in ('completed', 'failed') group by 1, 2)
select
  (select jsonb_agg(jsonb_build_array(extract(epoch from g.minute)::bigint, coalesce(m.done, 0)::bigint, coalesce(m.failed, 0)::bigint, coalesce(m.again, 0)::bigint,
      round(coalesce(m.run_seconds, 0)::numeric, 3)) order by g.minute)
    from clock c cross join lateral generate_series(c.minute - make_interval(secs => $1) + interval '1 minute', c.minute, '1 minute') g(minute)
    left join minutes m on m.minute = g.minute)::text as minutes,
  (select jsonb_agg(jsonb_build_array(x.lane, x.part, x.jobs)) from (
    select l.name as lane, floor(extract(epoch from c.now - n.minute)::float8 / 300)::int as part, sum(n.jobs)::bigint as jobs
    from kinds n cross join clock c join bellhand.kinds k on k.name = n.kind join bellhand.lanes l on l.id = k.lane group by 1, 2) x)::text as lanes,
  array(select r.id from bellhand.running r join bellhand.jobs j on j.id = r.id and j.epoch = r.epoch order by r.claimed_at desc, r.id desc limit 8) as running,
  (select jsonb_agg(jsonb_build_object('name', s.name, 'kind', s.kind, 'next_at', s.next_at, 'last_job', s.last_job, 'error', s.error)) from (
    select * from bellhand.schedules s where not s.paused and s.next_at is not null order by s.next_at limit 4) s)::text as schedules
