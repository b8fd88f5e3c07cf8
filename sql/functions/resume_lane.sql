-- Lets a paused lane be claimed from again and calls the workers.
create or replace function bellhand.resume_lane(p_lane text) returns void language plpgsql as $$
begin
  update bellhand.lanes set paused = false, paused_reason = null, paused_until = null, paused_at = null, paused_by = null where name = p_lane;
  if not found then
    raise exception using errcode = 'BH008', message = format('there is no lane %s', to_json(p_lane)),
      hint = 'Lanes: ' || (select string_agg(name, ', ' order by name) from bellhand.lanes);
  end if;
  insert into bellhand.events (type, data) values ('lane_resumed', jsonb_build_object('lane', p_lane));
  perform bellhand.call_workers();
end $$;
