-- How many jobs of a lane can run at once: its limit, and the hands of the workers that serve it, less those that other lanes have.
create or replace function bellhand.lane_slots(p_lane smallint) returns integer language plpgsql stable as $$
declare
  l record; hands record; here bigint;
begin
  select x.name, x.concurrency into l from bellhand.lanes x where x.id = p_lane;
  select coalesce(sum(w.capacity), 0) as capacity, coalesce(sum(w.busy), 0) as busy into hands
    from bellhand.workers w where not w.draining and (w.lanes = '{}' or l.name = any (w.lanes));
  -- A limited lane gets its slots soon, since the others' jobs end too.
  if l.concurrency is not null then return least(l.concurrency, hands.capacity); end if;
  here := (select count(*) from bellhand.running_in(p_lane, 10000));
  return greatest(least(1, hands.capacity), hands.capacity - greatest(0, hands.busy - here));
end $$;
