-- Takes a worker out at the end of its life: what it still holds is handed back without burning an attempt.
create or replace function bellhand.retire_worker(p_id uuid) returns bigint language plpgsql as $$
declare
  held_ids bigint[]; held_epochs integer[]; handed bigint := 0;
begin
  with gone as (delete from bellhand.leases l where l.worker = p_id returning l.ids, l.epochs)
    select array_agg(u.id), array_agg(u.epoch) into held_ids, held_epochs from gone g cross join unnest(g.ids, g.epochs) u(id, epoch);
  delete from bellhand.lane_holds h where h.worker = p_id;
  delete from bellhand.workers w where w.id = p_id;
  if held_ids is not null then
    select count(*) into handed from bellhand.settle_others(held_ids, held_epochs, array_fill('release'::text, array[cardinality(held_ids)]),
      array_fill(0::float8, array[cardinality(held_ids)]), array_fill(null::text, array[cardinality(held_ids)]),
      array_fill(null::text, array[cardinality(held_ids)]), '{}');
  end if;
  perform bellhand.ring();
  return handed;
end $$;
