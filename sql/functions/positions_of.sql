-- How many ready jobs of its lane stand before each of the jobs that is ready, null when more than 1000: one walk a lane, by position,
-- however many are asked for.
create or replace function bellhand.positions_of(p_ids bigint[]) returns table (id bigint, ahead bigint) language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
#variable_conflict use_column
declare
  asked_lane smallint; mine bigint[];
begin
  for asked_lane, mine in select q.lane, array_agg(q.id) from bellhand.queue q where q.id = any (p_ids) group by q.lane loop
    return query
      select m.id, n.ahead from unnest(mine) m(id) left join (
        select r.id, row_number() over () - 1 as ahead from (
          select q.id from bellhand.queue q where q.lane = asked_lane order by q.lane, q.rank, q.xid, q.id limit 1001) r) n on n.id = m.id;
  end loop;
end $$;
