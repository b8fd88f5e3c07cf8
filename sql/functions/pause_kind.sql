-- Stops jobs of one kind from starting; claimed ones are parked until the kind is resumed.
create or replace function bellhand.pause_kind(p_kind text, p_reason text default null) returns void language plpgsql as $$
begin
  update bellhand.kinds set paused = true, paused_reason = p_reason, paused_at = case when paused then paused_at else bellhand.now() end,
    paused_by = coalesce(nullif(current_setting('bellhand.actor', true), ''), session_user) where name = p_kind;
  if not found then perform bellhand.refuse_kind(p_kind); end if;
  insert into bellhand.events (type, kind, data) values ('kind_paused', p_kind, jsonb_build_object('reason', p_reason));
  perform bellhand.call_workers();
end $$;
