-- Lets jobs of a paused kind start again and puts those that were parked for it back into the queue.
create or replace function bellhand.resume_kind(p_kind text) returns bigint language plpgsql as $$
declare
  moved bigint;
begin
  update bellhand.kinds set paused = false, paused_reason = null, paused_at = null, paused_by = null where name = p_kind;
  if not found then perform bellhand.refuse_kind(p_kind); end if;
  insert into bellhand.events (type, kind) values ('kind_resumed', p_kind);
  moved := bellhand.unpark(array[p_kind], 1000000);
  perform bellhand.call_workers();
  return moved;
end $$;
