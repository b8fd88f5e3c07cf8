-- What keeps a ready job of a lane from starting: slots and who holds them, tokens, hands, and what stands before it.
create or replace function bellhand.why_lane(p_job bellhand.all_jobs, p_lane bellhand.lanes) returns table (gate text, detail text, fix text) language plpgsql stable as $$
declare
  holders text; hands record; tokens float8; wait record; standing bigint;
begin
  holders := (select string_agg(format('%s (%s, for %s)', x.id, x.kind, bellhand.for_people(x.seconds)), ', ' order by x.seconds desc)
    from (select * from bellhand.running_in(p_lane.id, 1000) r order by r.seconds desc limit 3) x);
  if p_lane.concurrency is not null and p_lane.concurrency <= (select coalesce(sum(h.slots), 0) from bellhand.lane_holds h where h.lane = p_lane.id) then
    return query select 'lane_full'::text, format('Lane %s allows %s at once, and all are taken%s.', p_lane.name, p_lane.concurrency, coalesce(', longest by ' || holders, '')),
      format(case p_lane.source when 'config' then 'raise concurrency under [lanes.%s]' else 'bellhand lane limit %s --concurrency N' end, p_lane.name);
  end if;
  select sum(w.capacity) as capacity, sum(w.busy) as busy, count(*) as n into hands
    from bellhand.workers w where p_job.kind = any (w.kinds) and (w.lanes = '{}' or p_lane.name = any (w.lanes)) and not w.draining;
  if hands.busy >= hands.capacity then
    return query select 'workers_full'::text, format('%s of %s for lane %s, and none is free%s.', bellhand.counted(hands.capacity, 'hand'), bellhand.counted(hands.n, 'worker'), p_lane.name,
        coalesce(', longest by ' || holders, '')), 'raise concurrency under [worker], or start another daemon: bellhand run'::text;
  end if;
  if p_lane.rate_per_second is not null then
    tokens := bellhand.refilled(p_lane.tokens, p_lane.tokens_at, p_lane.rate_burst, p_lane.rate_per_second);
    if tokens < 1 then
      return query select 'lane_rate'::text, format('Lane %s starts %s jobs a second; the next token comes in %s.', p_lane.name, p_lane.rate_per_second,
        bellhand.for_people((1 - tokens) / p_lane.rate_per_second)),
        format(case p_lane.source when 'config' then 'raise rate_per_second under [lanes.%s]' else 'bellhand lane limit %s --rate N' end, p_lane.name);
    end if;
  end if;
  -- Where nobody would take it up, which why() has said, its place tells nothing; a parked one has none.
  if hands.n = 0 then return; end if;
  select e.* into wait from bellhand.eta(p_job.id) e;
  standing := bellhand.ahead(p_job.id);
  return query select 'waiting'::text, format('%s ready jobs stand before it in its lane.%s%s', coalesce(standing::text, 'More than 1000'),
      case when wait.starts_at is not null then format(' It should start in %s (%s to %s).', bellhand.for_people(extract(epoch from wait.starts_at - bellhand.now())::float8),
        bellhand.for_people(extract(epoch from wait.starts_low - bellhand.now())::float8), bellhand.for_people(extract(epoch from wait.starts_high - bellhand.now())::float8)) else '' end,
      case when wait.finishes_at is not null then format(' Done in about %s.', bellhand.for_people(extract(epoch from wait.finishes_at - bellhand.now())::float8)) else '' end),
    'raise its priority, or concurrency under [worker]'::text;
end $$;
