-- What the gauges show of Postgres itself and of the schedules, in one row: sizes by table as JSON, the oldest transaction of this
-- database, how many ids of jobs were drawn and how many duplicates were
-- found, how late retention is beyond $1 days.
-- Sessions of other users are seen only by members of pg_read_all_stats; prepared transactions by everybody.
select
  (select jsonb_object_agg(t.name, jsonb_build_array(t.bytes, t.dead, t.live)) from (
    select case when s.relname like 'history%' then 'history' when s.relname like 'job_lines%' then 'job_lines' else s.relname end as name, sum(pg_total_relation_size(s.relid)) as bytes,
      sum(s.n_dead_tup) as dead, sum(s.n_live_tup) as live
    from pg_stat_user_tables s where s.schemaname = 'bellhand' group by 1) t)::text as tables,
  coalesce(greatest(
    (select max(extract(epoch from clock_timestamp() - a.xact_start)) from pg_stat_activity a
      where a.datname = current_database() and a.pid <> pg_backend_pid() and a.backend_type = 'client backend'),
    (select max(extract(epoch from clock_timestamp() - x.prepared)) from pg_prepared_xacts x where x.database = current_database())), 0)::float8
    as oldest_transaction_seconds,
  coalesce(pg_sequence_last_value('bellhand.jobs_id_seq'), 0) as ids_drawn,
  coalesce(pg_sequence_last_value('bellhand.duplicates'), 0) as duplicates,
  coalesce((select extract(epoch from bellhand.now() - $1::integer * interval '1 day'
      - (min(to_date(right(c.relname, 8), 'YYYYMMDD'))::timestamp at time zone 'UTC' + interval '1 day'))
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'bellhand.history'::regclass and c.relname ~ '^history_[0-9]{8}$'), 0)::float8 as retention_late_seconds,
  (select jsonb_object_agg(s.name, jsonb_build_array(extract(epoch from s.last_at),
      case when s.paused then 0 else extract(epoch from bellhand.now() - s.next_at) end))
    from (select * from bellhand.schedules order by name limit 200) s)::text as schedules
