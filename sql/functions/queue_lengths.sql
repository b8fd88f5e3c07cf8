-- How many ready jobs there are in the lane of each of the jobs that is ready, null when more than 1000: one walk a lane, by position, as in
-- positions_of.sql.
create or replace function bellhand.queue_lengths(p_ids bigint[]) returns table (id bigint, queue_length bigint) language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
#variable_conflict use_column
declare
  asked_lane smallint; mine bigint[];
begin
  for asked_lane, mine in select q.lane, array_agg(q.id) from bellhand.queue q where q.id = any (p_ids) group by q.lane loop
    return query
      select m.id, nullif(n.jobs, 1001) from unnest(mine) m(id), (
        select count(*) as jobs from (
          select from bellhand.queue q where q.lane = asked_lane order by q.lane, q.rank, q.xid, q.id limit 1001) r) n;
  end loop;
end $$;
