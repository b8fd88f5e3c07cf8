-- Changes limits of a lane at once for all daemons: some of concurrency, rate_per_second and rate_burst (JSON; null is no limit). Refuses
-- lanes of the configuration, which would set them back at its next start.
create or replace function bellhand.limit_lane(p_lane text, p_limits jsonb) returns void language plpgsql as $$
declare
  l bellhand.lanes;
begin
  select * into l from bellhand.lanes x where x.name = p_lane for update;
  if not found then
    raise exception using errcode = 'BH008', message = format('there is no lane %s', to_json(p_lane)),
      hint = 'Lanes: ' || (select string_agg(name, ', ' order by name) from bellhand.lanes);
  elsif l.source = 'config' then
    raise exception using errcode = 'BH011', message = format('the limits of lane %s are in the configuration', p_lane),
      hint = format('Change them under [lanes.%s] and reload the daemons (systemctl reload bellhand, or SIGHUP).', p_lane);
  end if;
  update bellhand.lanes x set
      concurrency = case when p_limits ? 'concurrency' then (p_limits ->> 'concurrency')::integer else x.concurrency end,
      rate_per_second = case when p_limits ? 'rate_per_second' then (p_limits ->> 'rate_per_second')::float8 else x.rate_per_second end,
      rate_burst = case when p_limits ? 'rate_burst' then coalesce((p_limits ->> 'rate_burst')::integer, 1) else x.rate_burst end
    where x.id = l.id;
  insert into bellhand.events (type, data) values ('lane_limited', jsonb_build_object('lane', p_lane) || p_limits);
  perform bellhand.call_workers();
end $$;
