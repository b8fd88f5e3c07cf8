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
  elsif not coalesce((p_limits ->> 'rate_per_second')::float8 between 1e-6 and 1e6, true) then
    raise exception using errcode = 'BH004', message = 'rate_per_second is not accepted',
      detail = format('%s is not between 0.000001 and 1000000.', p_limits ->> 'rate_per_second'), hint = 'A lane from which nothing may start is paused.';
  elsif not coalesce((p_limits ->> 'concurrency')::numeric between 1 and 1e6, true) or not coalesce((p_limits ->> 'rate_burst')::numeric between 1 and 1e6, true) then
    raise exception using errcode = 'BH004', message = case when coalesce((p_limits ->> 'concurrency')::numeric between 1 and 1e6, true) then 'rate_burst' else 'concurrency' end
      || ' is not accepted', detail = 'It is a number from 1 to 1000000.', hint = 'A lane from which nothing may start is paused.';
  end if;
  update bellhand.lanes x set
      concurrency = case when p_limits ? 'concurrency' then (p_limits ->> 'concurrency')::integer else x.concurrency end,
      rate_per_second = case when p_limits ? 'rate_per_second' then (p_limits ->> 'rate_per_second')::float8 else x.rate_per_second end,
      rate_burst = case when p_limits ? 'rate_burst' then coalesce((p_limits ->> 'rate_burst')::integer, 1) else x.rate_burst end
    where x.id = l.id;
  insert into bellhand.events (type, data) values ('lane_limited', jsonb_build_object('lane', p_lane) || p_limits);
  perform bellhand.call_workers();
end $$;
