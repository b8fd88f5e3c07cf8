-- What somebody should look at now, for the overview: the sort of trouble, what it is about, since when, and figures by its sort. Reads small tables,
-- leases, the newest 2,000 events and, only where jobs failed in the last quarter of an hour, the minutes of those kinds; what could be long is bounded.
-- Of lanes that are late the pages know themselves (trouble.py): what a lane may be due stands in the configuration.
-- A worker is silent p_late_seconds after its beat: more than a third of a lease, since an idle one beats so seldom.
drop function if exists bellhand.troubles();   -- as it was: a call could mean either
create or replace function bellhand.troubles(p_late_seconds float8 default 15) returns table (sort text, subject text, since timestamptz, data jsonb) language sql stable set jit = off as $$
with clock as materialized (select bellhand.now() as now),
waiting as materialized (
  select p.kind, p.reason, count(*) as jobs, min(p.id) as first from (select x.id, x.kind, x.reason from bellhand.parked x limit 10001) p
  where p.reason in ('no_handler', 'unknown_kind') and p.kind not in (select unnest(w.kinds) from bellhand.workers w where not w.draining) group by 1, 2),
overdue as materialized (
  select j.kind, count(*) as jobs, min(r.claimed_at) as since, (array_agg(j.id order by r.claimed_at))[1] as job
  from clock c cross join bellhand.running r join bellhand.jobs j on j.id = r.id and j.epoch = r.epoch join bellhand.kinds k on k.name = j.kind
  where r.claimed_at < c.now - make_interval(secs => 1.2 * coalesce(j.timeout_seconds, k.timeout_seconds) + 15) group by 1),
failing as materialized (
  select g.fingerprint, g.kind, g.error_class, coalesce(bellhand.error_line(g.example), g.message) as message, g.first_at, h.jobs from clock c
  cross join lateral (select * from bellhand.failure_groups x where x.last_at > c.now - interval '15 minutes' and not x.muted order by x.last_at desc limit 200) g
  cross join lateral (select coalesce(sum(x.jobs), 0)::bigint as jobs from bellhand.failure_hours x
    where x.fingerprint = g.fingerprint and x.hour >= date_trunc('hour', c.now, 'UTC') - interval '1 hour') h
  where h.jobs >= 3 order by h.jobs desc limit 5),
ended as materialized (
  select s.kind, sum(s.jobs)::bigint as jobs from clock c cross join bellhand.stats s
  where s.minute >= date_trunc('hour', c.now, 'UTC') - interval '1 hour' and s.kind in (select f.kind from failing f)
    and s.outcome in ('completed', 'partial', 'fail') group by 1)
select 'worker_silent', w.name, w.beat, jsonb_build_object('host', w.host, 'jobs',
    (select count(*) from bellhand.running r join bellhand.jobs j on j.id = r.id and j.epoch = r.epoch where r.worker = w.id))
  from clock c cross join bellhand.workers w where w.beat < c.now - make_interval(secs => p_late_seconds)
union all
select 'worker_lost', e.data ->> 'worker', e.at, jsonb_build_object('host', e.data ->> 'host', 'jobs', (e.data ->> 'jobs')::bigint, 'failed', (e.data ->> 'failed')::bigint)
  from clock c cross join (select * from bellhand.events x order by x.seq desc limit 2000) e where e.type = 'worker_lost' and e.at > c.now - interval '15 minutes'
union all
select 'no_worker', x.kind, (select j.created_at from bellhand.jobs j where j.id = x.first), jsonb_build_object('jobs', x.jobs, 'known', x.reason = 'no_handler') from waiting x
union all
select 'overrun', o.kind, o.since, jsonb_build_object('jobs', o.jobs, 'job', o.job) from overdue o
union all
select 'failing', f.kind, f.first_at, jsonb_build_object('fingerprint', f.fingerprint, 'error_class', f.error_class, 'message', f.message, 'jobs', f.jobs, 'ended', greatest(f.jobs, e.jobs), 'new', f.first_at > c.now - interval '1 hour', 'deploy',
    (select jsonb_build_object('version', d.version, 'seconds', extract(epoch from f.first_at - d.at)) from bellhand.deploys d
      where d.at between f.first_at - interval '1 hour' and f.first_at order by d.at desc limit 1))
  from clock c cross join failing f left join ended e on e.kind = f.kind
  -- One in twenty is trouble, and so is what nobody has seen before.
  where f.jobs >= 0.05 * coalesce(e.jobs, 0) or (f.first_at > c.now - interval '1 hour' and f.jobs >= 5)
union all
select 'service_open', s.name, s.changed_at, jsonb_build_object('error', s.error, 'seconds', greatest(0, extract(epoch from s.retry_at - c.now)))
  from clock c cross join bellhand.services s where s.state <> 'closed'
union all
select 'service_waits', s.name, null, jsonb_build_object('reason', s.paused_reason, 'seconds', extract(epoch from s.paused_until - c.now))
  from clock c cross join bellhand.services s where s.state = 'closed' and s.paused_until > c.now + interval '1 minute'
union all
select 'no_pulse', l.name, a.sent_at, jsonb_build_object('back_at', a.back_at)
  from clock c cross join bellhand.canaries a join bellhand.lanes l on l.id = a.lane where a.job is not null and not l.paused and a.sent_at < c.now - interval '2 minutes'
union all
select 'schedule_missed', s.name, s.next_at, jsonb_build_object('error', s.error)
  from clock c cross join bellhand.schedules s where not s.paused and (s.error is not null or s.next_at < c.now - interval '5 minutes')
union all
select 'drained', w.name, w.drain_asked_at, jsonb_build_object('reason', w.drain_reason) from clock c cross join bellhand.workers w where w.drain_asked_at < c.now - interval '4 hours'
union all
select 'channel', h.name, h.failing_since, jsonb_build_object('error', h.last_error, 'waiting', h.waiting, 'disabled', h.disabled_at is not null)
  from clock c cross join bellhand.channel_status h where h.failing_since < c.now - interval '5 minutes'
union all
select 'transaction', coalesce(nullif(a.application_name, ''), 'a session') || ' of ' || a.usename, a.xact_start, jsonb_build_object('pid', a.pid) from pg_stat_activity a
  where a.datname = current_database() and a.backend_type = 'client backend' and a.xact_start < clock_timestamp() - interval '1 hour'
order by 1, 3 nulls last limit 50
$$;
