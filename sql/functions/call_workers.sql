-- Rings the bell for every worker, awake or asleep: a running job was asked to stop, or a limit changed.
create or replace function bellhand.call_workers() returns void language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
begin
  if pg_notification_queue_usage() < 0.5 then
    perform pg_notify('bellhand', 'look');
  end if;
end $$;
