-- The ids of p_ids whose lease (one of p_held) this worker still has, null in place of the others; p_held null asks for none.
-- A claim commits asynchronously, so a crash of the server can undo it and somebody else can claim the job at the same
-- epoch: the lease tells the two apart.
create or replace function bellhand.still_held(p_worker uuid, p_held bigint[], p_ids bigint[]) returns bigint[] language plpgsql stable as $$
begin
  if p_held is null or (select count(*) from bellhand.leases l where l.id = any (p_held) and l.worker = p_worker) = cardinality(p_held) then
    return p_ids;
  end if;
  return array(
    select case when exists (select from bellhand.leases l where l.id = any (p_held) and l.worker = p_worker and u.id = any (l.ids)) then u.id end
    from unnest(p_ids) with ordinality u(id, n) order by u.n);
end $$;
