-- What `bellhand doctor` looks at, a row a fact that may be wrong: (sort, subject, number, note). Reads small tables and the catalog; counts of
-- what could be long are bounded. Sessions of other users are seen only by members of pg_read_all_stats; $1 is the lease in seconds, $2 how old a
-- transaction may be.
with waiting as (
  select p.kind, p.reason, count(*) as jobs from (select kind, reason from bellhand.parked limit 100000) p
  where p.reason not in ('no_handler', 'unknown_kind') or p.kind not in (select unnest(w.kinds) from bellhand.workers w where not w.draining) group by 1, 2)
select 'clock' as sort, '' as subject, extract(epoch from clock_timestamp())::float8 as number, '' as note
union all
select 'horizon', 'pid ' || a.pid, extract(epoch from clock_timestamp() - a.xact_start)::float8,
  format('%s of %s, %s, last: %s', coalesce(nullif(a.application_name, ''), 'a session'), a.usename, a.state, left(regexp_replace(a.query, '\s+', ' ', 'g'), 80))
from pg_stat_activity a
where a.datname = current_database() and a.pid <> pg_backend_pid() and a.backend_type = 'client backend' and a.xact_start < clock_timestamp() - make_interval(secs => $2)
union all
select 'prepared', x.gid, extract(epoch from clock_timestamp() - x.prepared)::float8, 'by ' || x.owner
from pg_prepared_xacts x where x.database = current_database() and x.prepared < clock_timestamp() - make_interval(secs => $2)
union all
select 'slot', s.slot_name, age(coalesce(s.catalog_xmin, s.xmin))::float8, case when s.active then 'in use' else 'nobody uses it' end
from pg_replication_slots s where not s.active and coalesce(s.catalog_xmin, s.xmin) is not null
union all
select 'dead', t.relname::text, t.n_dead_tup::float8, format('%s live rows, last vacuum %s', t.n_live_tup, coalesce(greatest(t.last_vacuum, t.last_autovacuum)::text, 'never'))
from pg_stat_user_tables t where t.schemaname = 'bellhand' and t.n_dead_tup > greatest(50000, 5 * t.n_live_tup)
union all
select 'workers', '', count(*)::float8, coalesce(string_agg(distinct w.version, ', '), '') from bellhand.workers w
  where w.beat > bellhand.now() - make_interval(secs => $1)
union all
select 'silent', w.name, extract(epoch from bellhand.now() - w.beat)::float8, format('on %s, pid %s', w.host, w.pid)
from bellhand.workers w where w.beat < bellhand.now() - make_interval(secs => 3 * $1)
union all
select case when w.drain_asked_at is null then 'draining' else 'drained' end, w.name, extract(epoch from bellhand.now() - coalesce(w.drain_asked_at, w.started_at))::float8,
  (select bellhand.counted(count(*), 'job') from bellhand.running r join bellhand.jobs j on j.id = r.id and j.epoch = r.epoch where r.worker = w.id) || ' still running'
    || coalesce('; ' || w.drain_reason, '') from bellhand.workers w where w.draining
union all
select 'orphans', l.worker::text, sum(cardinality(l.ids))::float8, min(l.claimed_at)::text
from bellhand.leases l where l.claimed_at < bellhand.now() - make_interval(secs => 3 * $1)
  and not exists (select from bellhand.workers w where w.id = l.worker) group by l.worker
union all
select case when x.reason in ('no_handler', 'unknown_kind') then 'unhandled' else 'parked' end, x.kind, x.jobs::float8, x.reason from waiting x
union all
select 'overdue', w.name, count(*)::float8, (array_agg(format('job %s (%s) has run for %s and may run for %s', j.id, j.kind, bellhand.for_people(t.age), bellhand.for_people(t.most)) order by t.age desc))[1]
from bellhand.running r join bellhand.jobs j on j.id = r.id and j.epoch = r.epoch join bellhand.kinds k on k.name = j.kind join bellhand.workers w on w.id = r.worker
  cross join lateral (select coalesce(j.timeout_seconds, k.timeout_seconds)::float8 as most, extract(epoch from bellhand.now() - r.claimed_at)::float8 as age) t
where t.age > 1.2 * t.most + $1 group by w.name
union all
select 'lane_paused', l.name, extract(epoch from bellhand.now() - l.paused_at)::float8, coalesce(l.paused_reason, 'no reason given')
from bellhand.lanes l where l.paused
union all
select 'kind_paused', k.name, extract(epoch from bellhand.now() - k.paused_at)::float8, coalesce(k.paused_reason, 'no reason given')
from bellhand.kinds k where k.paused
union all
select 'schedule_paused', s.name, null, s.cron from bellhand.schedules s where s.paused
union all
select 'schedule_error', s.name, null, s.error from bellhand.schedules s where s.error is not null
union all
select 'schedule_late', s.name, extract(epoch from bellhand.now() - s.next_at)::float8, s.cron
from bellhand.schedules s where not s.paused and s.error is null and s.next_at < bellhand.now() - interval '5 minutes'
union all
select 'ears', '', count(*)::float8, '' from pg_stat_activity a
where a.datname = current_database() and a.application_name = 'bellhand:listen'
union all
select 'notifications', '', pg_notification_queue_usage(), ''
union all
select 'connections', '', (count(*) / current_setting('max_connections')::float8), format('%s of %s', count(*), current_setting('max_connections'))
from pg_stat_activity a where a.backend_type = 'client backend'
union all
select 'default_partition', 'history_default', count(*)::float8, '' from (select from bellhand.history_default limit 1000) x having count(*) > 0
union all
select 'canary', l.name, extract(epoch from bellhand.now() - c.sent_at)::float8, '' from bellhand.canaries c join bellhand.lanes l on l.id = c.lane
where c.job is not null and not l.paused and c.sent_at < bellhand.now() - interval '2 minutes'
order by 1, 2
