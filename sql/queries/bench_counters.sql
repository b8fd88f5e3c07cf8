-- What the server has written and committed so far, and whether any job is left.
select pg_current_wal_lsn() - '0/0'::pg_lsn as wal_bytes,
  (select xact_commit from pg_stat_database where datname = current_database()) as commits,
  (select not exists (select from bellhand.jobs)) as drained
