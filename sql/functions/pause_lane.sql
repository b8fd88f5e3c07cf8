-- Stops claims from a lane; what runs goes on. Takes effect at every worker's next claim after it hears of it.
create or replace function bellhand.pause_lane(p_lane text, p_reason text default null) returns void language plpgsql as $$
begin
  update bellhand.lanes set paused = true, paused_reason = p_reason where name = p_lane;
  if not found then
    raise exception using errcode = 'BH008', message = format('there is no lane %s', to_json(p_lane)),
      hint = 'Lanes: ' || (select string_agg(name, ', ' order by name) from bellhand.lanes);
  end if;
  insert into bellhand.events (type, data) values ('lane_paused', jsonb_build_object('lane', p_lane, 'reason', p_reason));
  perform bellhand.call_workers();
end $$;
