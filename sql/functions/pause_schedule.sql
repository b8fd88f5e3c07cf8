-- Stops a schedule from enqueuing, or lets it go on. What was due meanwhile was not missed: the next tick counts from now.
create or replace function bellhand.pause_schedule(p_name text, p_paused boolean, p_reason text default null) returns void language plpgsql as $$
begin
  update bellhand.schedules s set paused = p_paused, next_at = case when s.paused and not p_paused then null else s.next_at end,
    again_at = null where s.name = p_name;
  if not found then
    raise exception using errcode = 'BH008', message = format('there is no schedule %s', to_json(p_name)),
      hint = 'Schedules: ' || coalesce((select string_agg(name, ', ' order by name) from bellhand.schedules), 'none');
  end if;
  insert into bellhand.events (type, data) values (case when p_paused then 'schedule_paused' else 'schedule_resumed' end,
    jsonb_build_object('schedule', p_name, 'reason', p_reason));
  perform bellhand.call_workers();
end $$;
