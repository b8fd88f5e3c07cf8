-- Takes back leases that name no worker at all (a claim that committed just after its worker was given up).
create or replace function bellhand.rescue_orphans(p_crashes_max integer) returns bigint language plpgsql as $$
declare
  held_ids bigint[]; held_epochs integer[];
begin
  with gone as (
    delete from bellhand.leases l where l.id in (
      select x.id from bellhand.leases x where not exists (select from bellhand.workers w where w.id = x.worker) for update skip locked)
    returning l.ids, l.epochs)
  select array_agg(u.id), array_agg(u.epoch) into held_ids, held_epochs from gone g cross join unnest(g.ids, g.epochs) u(id, epoch);
  delete from bellhand.lane_holds h where not exists (select from bellhand.workers w where w.id = h.worker);
  return (select count(*) from bellhand.settle_crashed(held_ids, held_epochs, p_crashes_max, 'worker_lost: its worker was given up'));
end $$;
