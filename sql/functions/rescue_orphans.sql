-- Takes back leases that name no worker at all (a claim that committed just after its worker was given up).
create or replace function bellhand.rescue_orphans(p_crashes_max integer) returns bigint language plpgsql as $$
declare
  w uuid; held record; settled bigint := 0;
begin
  for w in select distinct l.worker from bellhand.leases l where not exists (select from bellhand.workers x where x.id = l.worker) loop
    held := bellhand.drop_leases(array(select l.id from bellhand.leases l where l.worker = w for update skip locked));
    settled := settled + (select count(*) from bellhand.settle_crashed(w, held.ids, held.epochs, held.run_seconds, null, '{}', p_crashes_max,
      'worker_lost: its worker was given up'));
  end loop;
  delete from bellhand.lane_holds h where not exists (select from bellhand.workers w where w.id = h.worker);
  return settled;
end $$;
