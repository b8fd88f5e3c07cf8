-- What must be right about the server before a daemon works with it.
select current_setting('server_version_num')::integer as version, current_setting('server_version') as version_text,
  pg_is_in_recovery() as in_recovery, current_setting('fsync') as fsync, current_setting('full_page_writes') as full_page_writes,
  current_user as role, to_regclass('bellhand.jobs') is not null as has_schema
