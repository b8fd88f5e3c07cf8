-- Stops claims from a lane, until p_until or until somebody resumes it; what runs goes on. Takes effect at every worker's next claim after it
-- hears of it. A lane that is paused already is from now on paused for this reason, by this caller and this long; since when does not change.
create or replace function bellhand.pause_lane(p_lane text, p_reason text default null, p_until timestamptz default null) returns void
language plpgsql as $$
begin
  if p_until <= bellhand.now() then
    raise exception using errcode = 'BH004', message = 'until is not accepted', detail = format('%s is over already.', bellhand.utc_words(p_until)),
      hint = 'Give a time that is still to come, or leave it out and resume the lane by hand.';
  elsif p_until > '9999-12-30 UTC' then
    raise exception using errcode = 'BH004', message = 'until is not accepted', detail = 'It must lie in the years up to 9999.',
      hint = 'Leave it out for a pause that ends when somebody resumes the lane.';
  end if;
  update bellhand.lanes set paused = true, paused_reason = p_reason, paused_until = p_until, paused_at = case when paused then paused_at else bellhand.now() end,
    paused_by = coalesce(nullif(current_setting('bellhand.actor', true), ''), session_user) where name = p_lane;
  if not found then
    raise exception using errcode = 'BH008', message = format('there is no lane %s', to_json(p_lane)),
      hint = 'Lanes: ' || (select string_agg(name, ', ' order by name) from bellhand.lanes);
  end if;
  insert into bellhand.events (type, data)
    values ('lane_paused', jsonb_build_object('lane', p_lane, 'reason', p_reason) || jsonb_strip_nulls(jsonb_build_object('until', bellhand.rfc3339(p_until))));
  perform bellhand.call_workers();
end $$;
