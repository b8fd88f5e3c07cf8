-- How the database fares: migrations, the largest tables with their dead rows, connections of ours and those that listen, the oldest
-- transaction and whose it is, what each day of history takes, the newest of the audit log. The statistics are Postgres' own, so
-- nothing is counted.
with others as materialized (
  select a.pid, a.application_name, a.usename, a.state, a.xact_start from pg_stat_activity a where a.datname = current_database()),
-- Once for both that show it: a size asks the file system for each file of a table and of its indexes.
sizes as materialized (
  select s.*, pg_total_relation_size(s.relid) as bytes from pg_stat_user_tables s where s.schemaname like 'bellhand%')
select current_setting('server_version') as version, pg_database_size(current_database()) as database_bytes,
  (select count(*) from bellhand.migrations) as migrations, (select value from bellhand.meta where name = 'mode') as mode,
  (select extract(epoch from statement_timestamp() - min(o.xact_start))::float8 from others o where o.pid <> pg_backend_pid()) as oldest_seconds,
  (select format('%s, pid %s, %s', coalesce(nullif(o.application_name, ''), o.usename), o.pid, o.state) from others o where o.pid <> pg_backend_pid() and o.xact_start is not null
    order by o.xact_start limit 1) as oldest_whose,
  (select count(*) from others o where o.application_name = 'bellhand:listen') as listening,
  (select jsonb_object_agg(c.name, c.n) from (select coalesce(nullif(o.application_name, ''), 'other') as name, count(*) as n from others o
    group by 1 order by 2 desc limit 20) c)::text as connections,
  (select jsonb_agg(to_jsonb(t)) from (
    select s.schemaname || '.' || regexp_replace(s.relname, '^(history|job_lines)_.*', '\1 (all days)') as name, sum(s.bytes)::bigint as bytes,
      sum(s.n_live_tup)::bigint as live, sum(s.n_dead_tup)::bigint as dead, max(greatest(s.last_autovacuum, s.last_vacuum)) as vacuumed_at
    from sizes s group by 1 order by 2 desc limit 15) t)::text as tables,
  (select jsonb_agg(jsonb_build_object('bytes', d.bytes, 'rows', d.live, 'part', d.part) order by d.name desc) from (
    select s.relname as name, s.bytes, s.n_live_tup as live,
      (extract(epoch from bellhand.now() - right(s.relname, 8)::date::timestamp at time zone 'UTC') / 86400)::float8 as part
    from sizes s where s.schemaname = 'bellhand' and s.relname ~ '^history_[0-9]{8}$' order by 1 desc limit 30) d)::text as days,
  (select jsonb_agg(jsonb_build_object('at', e.at, 'type', e.type, 'actor', e.actor, 'job', e.job, 'kind', e.kind, 'data', e.data) order by e.seq desc) from (
    select * from bellhand.events x order by x.seq desc limit 40) e)::text as audit
