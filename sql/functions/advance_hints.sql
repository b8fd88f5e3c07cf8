-- Moves claim positions forward, one a (lane, rank). Rigorous: a queue row of a transaction older than the oldest one
-- still running that this snapshot cannot see will never be seen (it was claimed, or never committed), so everything
-- before the first visible row, or before that transaction, can be skipped for ever, dead entries included.
create or replace function bellhand.advance_hints(p_lanes smallint[], p_ranks smallint[], p_xids xid8[], p_ids bigint[])
returns table (lane smallint, rank smallint, xid xid8, id bigint) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off as $$
declare
  oldest xid8 := pg_snapshot_xmin(pg_current_snapshot()); q record;
begin
  for k in 1 .. cardinality(p_lanes) loop
    select r.xid, r.id into q from bellhand.queue r
      where r.lane = p_lanes[k] and r.rank = p_ranks[k] and (r.xid, r.id) >= (p_xids[k], p_ids[k])
      order by r.rank, r.xid, r.id limit 1;
    lane := p_lanes[k]; rank := p_ranks[k];
    if found and q.xid < oldest then
      xid := q.xid; id := q.id;
    elsif oldest > p_xids[k] then
      xid := oldest; id := 0;
    else
      xid := p_xids[k]; id := p_ids[k];
    end if;
    return next;
  end loop;
end $$;
