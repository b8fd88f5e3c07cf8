-- Opens a step of a migration: limits for this transaction, the lock that lets one migration run at a time, and the
-- ledger. Asks for the schema first, because `create schema if not exists` needs rights even when it is there.
set local lock_timeout = '5s';
set local statement_timeout = 0;
set local idle_in_transaction_session_timeout = 0;
set local check_function_bodies = off;
set local search_path = pg_catalog, pg_temp;
select pg_advisory_xact_lock(8389762331101);
do $$
begin
  if to_regnamespace('bellhand') is null then
    create schema bellhand;
  end if;
  if to_regclass('bellhand.migrations') is null then
    create table bellhand.migrations (
      name       text        primary key,
      checksum   text        not null,
      version    text        not null,
      tolerates  text        not null,
      applied_at timestamptz not null default statement_timestamp()
    );
  end if;
end $$;
