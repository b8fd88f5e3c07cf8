-- How many attempts of a lane ended in the last five whole minutes.
create or replace function bellhand.lane_pace(p_lane smallint) returns bigint language sql stable as $$
  select coalesce(sum(s.jobs), 0)::bigint from bellhand.stats s join bellhand.kinds k on k.name = s.kind
  where k.lane = p_lane and s.minute >= date_trunc('minute', bellhand.now()) - interval '5 minutes' and s.minute < date_trunc('minute', bellhand.now())
$$;
