-- The last $1 seconds in minutes that are over and counted (workers write every 15 s), the deploys in them, the newest running jobs, the next schedules, the latest $2 groups of failures, what needs
-- attention (a worker from $3 seconds without a beat on), and how many jobs can run at once: from the minutes that workers counted, leases and small tables, never from jobs. Sums are of
-- floats, which take a third of the time of exact ones.
with clock as materialized (select bellhand.now() as now, date_trunc('minute', bellhand.now() - interval '20 seconds') as minute),
minutes as (
  select s.minute, sum(s.jobs::float8) filter (where s.outcome in ('completed', 'partial')) as done, sum(s.jobs::float8) filter (where s.outcome = 'fail') as failed,
    sum(s.jobs::float8) filter (where s.outcome in ('retry', 'crash')) as again, sum(s.run_seconds) / nullif(sum(s.jobs::float8), 0) as run_seconds
  from bellhand.stats s where s.minute between (select minute - make_interval(secs => $1) from clock) and (select now from clock) group by 1)
select
  (select jsonb_agg(jsonb_build_array(extract(epoch from g.minute)::bigint, coalesce(m.done, 0)::bigint, coalesce(m.failed, 0)::bigint, coalesce(m.again, 0)::bigint,
      round(coalesce(m.run_seconds, 0)::numeric, 3)) order by g.minute)
    from clock c cross join lateral generate_series(c.minute - make_interval(secs => $1), c.minute - interval '1 minute', '1 minute') g(minute)
    left join minutes m on m.minute = g.minute)::text as minutes,
  (select jsonb_agg(jsonb_build_object('at', d.at, 'version', d.version, 'code', d.code, 'note', d.note, 'actor', d.actor) order by d.at desc) from (
    select * from bellhand.deploys x where x.at > bellhand.now() - make_interval(secs => $1) and x.at <= bellhand.now() order by x.at desc limit 10) d)::text as deploys,
  array(select r.id from bellhand.running r join bellhand.jobs j on j.id = r.id and j.epoch = r.epoch order by r.claimed_at desc, r.id desc limit 8) as running,
  (select jsonb_agg(jsonb_build_object('name', s.name, 'kind', s.kind, 'next_at', s.next_at, 'last_job', s.last_job, 'error', s.error)) from (
    select * from bellhand.schedules s where not s.paused and s.next_at is not null order by s.next_at limit 4) s)::text as schedules,
  (select jsonb_agg(jsonb_build_object('fingerprint', f.fingerprint, 'kind', f.kind, 'error_class', f.error_class, 'message', f.message, 'jobs', f.jobs, 'last_at', f.last_at)
      order by f.last_at desc) from (
    select * from bellhand.failure_groups g where g.last_at > bellhand.now() - make_interval(secs => $1) and not g.muted order by g.last_at desc limit $2) f)::text as failures,
  (select jsonb_agg(to_jsonb(t)) from bellhand.troubles($3) t)::text as troubles,
  (select coalesce(sum(w.capacity), 0) from bellhand.workers w) as capacity
