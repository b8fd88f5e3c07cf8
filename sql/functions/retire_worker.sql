-- Takes a worker out at the end of its life: what it still holds is handed back without burning an attempt.
create or replace function bellhand.retire_worker(p_id uuid) returns bigint language plpgsql as $$
declare
  held record;
begin
  -- First its row: a claim that is still on its way has it locked, or finds it gone.
  delete from bellhand.workers w where w.id = p_id;
  held := bellhand.drop_leases(array(select l.id from bellhand.leases l where l.worker = p_id));
  delete from bellhand.lane_holds h where h.worker = p_id;
  perform bellhand.ring();
  return bellhand.release_held(p_id, held.ids, held.epochs, held.run_seconds);
end $$;
