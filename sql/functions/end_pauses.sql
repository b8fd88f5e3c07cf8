-- Ends the pauses of lanes whose time is over, and calls the workers if there were any. Guard: the lane's row lock, after which a pause that
-- another daemon has ended, or an operator has made longer, is not due any more.
create or replace function bellhand.end_pauses() returns void language plpgsql as $$
declare
  l record;
begin
  for l in update bellhand.lanes set paused = false, paused_reason = null, paused_until = null, paused_at = null, paused_by = null
           where paused and paused_until <= bellhand.now() returning name loop
    insert into bellhand.events (type, actor, data) values ('lane_resumed', 'bellhand', jsonb_build_object('lane', l.name, 'reason', 'the time of its pause was over'));
  end loop;
  if found then perform bellhand.call_workers(); end if;
end $$;
