-- What the database is and lets us do, for `check`: reads the catalog only, so it works without the schema, and without any right to it.
select current_setting('server_version') as version, current_setting('server_version_num')::integer as version_number,
  pg_is_in_recovery() as replica, current_setting('default_transaction_read_only')::boolean as read_only,
  current_user as role, current_database() as database, has_database_privilege(current_database(), 'create') as may_create,
  exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'bellhand' and c.relname = 'jobs') as migrated
