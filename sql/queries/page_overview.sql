-- The last $1 seconds minute by minute and lane by lane, the newest running jobs, the next schedules: from the minutes that workers
-- counted, leases and small tables, never from jobs.
with ended as materialized (
  select s.minute, s.kind, case s.outcome when 'partial' then 'completed' when 'fail' then 'failed' else s.outcome end as outcome, sum(s.jobs) as jobs,
    sum(s.run_seconds) as run_seconds
  from bellhand.stats s where s.minute > bellhand.now() - make_interval(secs => $1) group by 1, 2, 3)
select
  (select jsonb_agg(jsonb_build_array(extract(epoch from m.minute)::bigint, m.done, m.failed, m.again, m.run_seconds) order by m.minute) from (
    select g.minute, coalesce(sum(e.jobs) filter (where e.outcome = 'completed'), 0) as done,
      coalesce(sum(e.jobs) filter (where e.outcome = 'failed'), 0) as failed, coalesce(sum(e.jobs) filter (where e.outcome in ('retry', 'crash')), 0) as again,
      round((coalesce(sum(e.run_seconds) / sum(e.jobs), 0))::numeric, 3) as run_seconds
    from generate_series(date_trunc('minute', bellhand.now() - make_interval(secs => $1)) + interval '1 minute', date_trunc('minute', bellhand.now()), '1 minute') g(minute)
    left join ended e on e.minute = g.minute group by 1) m)::text as minutes,
  (select jsonb_agg(jsonb_build_array(x.lane, x.part, x.jobs)) from (
    select l.name as lane, floor(extract(epoch from bellhand.now() - e.minute) / 300)::int as part, sum(e.jobs) as jobs
    from ended e join bellhand.kinds k on k.name = e.kind join bellhand.lanes l on l.id = k.lane where e.outcome in ('completed', 'failed') group by 1, 2) x)::text as lanes,
  array(select r.id from bellhand.running r join bellhand.jobs j on j.id = r.id and j.epoch = r.epoch order by r.claimed_at desc, r.id desc limit 8) as running,
  (select jsonb_agg(jsonb_build_object('name', s.name, 'kind', s.kind, 'next_at', s.next_at, 'last_job', s.last_job, 'error', s.error)) from (
    select * from bellhand.schedules s where not s.paused and s.next_at is not null order by s.next_at limit 4) s)::text as schedules
