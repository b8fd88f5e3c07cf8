-- How the database fares: migrations, the largest tables with their dead rows, connections of ours, the oldest transaction, the newest
-- of the audit log. The statistics are Postgres' own, so nothing is counted.
select current_setting('server_version') as version, pg_database_size(current_database()) as database_bytes,
  (select count(*) from bellhand.migrations) as migrations, (select value from bellhand.meta where name = 'mode') as mode,
  (select extract(epoch from max(statement_timestamp() - a.xact_start))::float8 from pg_stat_activity a where a.datname = current_database() and a.pid <> pg_backend_pid()) as oldest_seconds,
  (select jsonb_object_agg(c.name, c.n) from (select coalesce(nullif(a.application_name, ''), 'other') as name, count(*) as n from pg_stat_activity a
    where a.datname = current_database() group by 1 order by 2 desc limit 20) c)::text as connections,
  (select jsonb_agg(to_jsonb(t)) from (
    select s.schemaname || '.' || regexp_replace(s.relname, '^history_.*', 'history (all days)') as name, sum(pg_total_relation_size(s.relid))::bigint as bytes,
      sum(s.n_live_tup)::bigint as live, sum(s.n_dead_tup)::bigint as dead, max(greatest(s.last_autovacuum, s.last_vacuum)) as vacuumed_at
    from pg_stat_user_tables s where s.schemaname like 'bellhand%' group by 1 order by 2 desc limit 15) t)::text as tables,
  (select jsonb_agg(jsonb_build_object('at', e.at, 'type', e.type, 'actor', e.actor, 'job', e.job, 'kind', e.kind, 'data', e.data) order by e.seq desc) from (
    select * from bellhand.events x order by x.seq desc limit 40) e)::text as audit
