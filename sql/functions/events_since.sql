-- The log's rows that a reader has not had: those that its snapshot p_before did not see and p_until does, after position
-- (p_xid, p_seq), in that order, at most p_limit; only those about p_jobs, if it is given. A snapshot and not a number marks what
-- was read, because a sequence's numbers commit in any order: nothing is left out, nothing comes twice, and a long transaction of
-- somebody else holds nothing up. Reads the log by transaction: those that were under way in p_before one by one, then what came after.
create or replace function bellhand.events_since(p_before pg_snapshot, p_until pg_snapshot, p_xid xid8, p_seq bigint, p_limit integer,
  p_jobs bigint[] default null)
returns setof bellhand.events language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
  pending xid8[] := array(select pg_snapshot_xip(p_before));
  -- One lower bound: given two, a btree may begin at the lower one.
  xid_from xid8 := greatest(p_xid, pg_snapshot_xmax(p_before));
  seq_from bigint := case when p_xid >= pg_snapshot_xmax(p_before) then p_seq else 0 end;
begin
  return query
    select e.* from (
      (select x.* from unnest(pending) p cross join lateral (
         select y.* from bellhand.events y where y.xid = p and (p_jobs is null or y.job = any (p_jobs)) and pg_visible_in_snapshot(y.xid, p_until) order by y.xid, y.seq limit p_limit) x)
      union all
      (select x.* from bellhand.events x
         where (x.xid, x.seq) > (xid_from, seq_from) and x.xid < pg_snapshot_xmax(p_until) and (p_jobs is null or x.job = any (p_jobs))
           and pg_visible_in_snapshot(x.xid, p_until)
         order by x.xid, x.seq limit p_limit)) e
    where (e.xid, e.seq) > (p_xid, p_seq) order by e.xid, e.seq limit p_limit;
end $$;
