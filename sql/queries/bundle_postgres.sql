-- For `bellhand support-bundle`: the settings of Postgres that decide how the queue fares; none that could hold a secret.
select s.name, s.setting, s.unit, s.source from pg_settings s
where s.name in ('server_version', 'max_connections', 'shared_buffers', 'work_mem', 'effective_cache_size', 'fsync', 'synchronous_commit',
  'full_page_writes', 'wal_level', 'max_wal_size', 'autovacuum', 'autovacuum_naptime', 'autovacuum_vacuum_cost_limit', 'autovacuum_vacuum_cost_delay',
  'idle_in_transaction_session_timeout', 'statement_timeout', 'lock_timeout', 'deadlock_timeout', 'jit', 'TimeZone', 'max_prepared_transactions',
  'hot_standby_feedback', 'old_snapshot_threshold', 'track_io_timing')
order by s.name
