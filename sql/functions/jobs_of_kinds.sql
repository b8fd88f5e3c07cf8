-- Ids of jobs of some kinds in the order they run: those that do, the first p_limit that wait (among the first 1,000 of their lanes),
-- the first whose time has not come (among the next 1,000 that have it), those parked, and then the p_limit that ended last.
create or replace function bellhand.jobs_of_kinds(p_kinds text[], p_limit integer) returns table (id bigint) language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off set jit = off as $$
#variable_conflict use_column
declare
  asked_lane smallint; asked_kind text;
begin
  return query select r.id from bellhand.running r join bellhand.jobs j on j.id = r.id and j.epoch = r.epoch
    where j.kind = any (p_kinds) order by r.id limit p_limit;
  for asked_lane in select distinct k.lane from bellhand.kinds k where k.name = any (p_kinds) loop
    return query select q.id from (
        select x.id from bellhand.queue x where x.lane = asked_lane order by x.lane, x.rank, x.xid, x.id limit 1000) q
      join bellhand.jobs j on j.id = q.id where j.kind = any (p_kinds) limit p_limit;
  end loop;
  return query select s.id from (select x.id from bellhand.scheduled x order by x.run_at, x.id limit 1000) s
    join bellhand.jobs j on j.id = s.id where j.kind = any (p_kinds) limit p_limit;
  return query select p.id from bellhand.parked p where p.kind = any (p_kinds) order by p.kind, p.id limit p_limit;
  return query select h.id from unnest(p_kinds) n(name) cross join lateral (
      select x.id, x.finished_at from bellhand.history x where x.kind = n.name order by x.finished_at desc limit p_limit) h
    order by h.finished_at desc limit p_limit;
end $$;
