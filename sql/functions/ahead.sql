-- How many ready jobs of its lane stand before a ready job, looking at no more than the first p_limit positions: null when
-- it stands behind those, or is not ready. Walks the queue by position, whatever the planner believes about its size.
create or replace function bellhand.ahead(p_id bigint, p_limit integer default 1001) returns bigint language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_sort = off set jit = off as $$
declare
  j record;
begin
  select q.lane into j from bellhand.queue q where q.id = p_id;
  return (
    select n.ahead from (
      select q.id, row_number() over () - 1 as ahead from (
        select r.id from bellhand.queue r where r.lane = j.lane order by r.lane, r.rank, r.xid, r.id limit p_limit) q) n
    where n.id = p_id);
end $$;
