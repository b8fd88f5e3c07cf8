-- Rebuilds queue, scheduled and parked from the jobs when the database has moved to another cluster (a restored dump):
-- the transaction ids in the queue mean nothing there. Returns how many jobs it placed; null when nothing was to do.
create or replace function bellhand.rebuild_queue() returns bigint language plpgsql as $$
declare
  here text := (select system_identifier::text from pg_control_system());
  placed bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('bellhand.rebuild_queue', 0));
  if exists (select from bellhand.meta where name = 'system_identifier' and value = here) then return null; end if;
  delete from bellhand.queue; delete from bellhand.scheduled; delete from bellhand.parked;
  delete from bellhand.leases; delete from bellhand.workers; delete from bellhand.lane_holds;
  update bellhand.dependencies set xid = pg_current_xact_id();
  -- To those who watch, the log that came along is old, and where they stood means nothing here.
  update bellhand.events set xid = '3' where xid >= pg_current_xact_id();
  insert into bellhand.meta (name, value) values ('events_deleted_xid', pg_current_xact_id()::text)
    on conflict (name) do update set value = excluded.value;
  update bellhand.jobs set stop = null where stop is not null;
  placed := bellhand.make_ready(array(select j.id from bellhand.jobs j where j.state = 'pending' order by j.id));
  insert into bellhand.meta (name, value) values ('system_identifier', here) on conflict (name) do update set value = here;
  insert into bellhand.events (type, data) values ('queue_rebuilt', jsonb_build_object('jobs', placed));
  return placed;
end $$;
