-- Takes a worker out at the end of its life: what it still holds is handed back without burning an attempt, and it is told of.
create or replace function bellhand.retire_worker(p_id uuid) returns bigint language plpgsql as $$
declare
  held record; w bellhand.workers;
begin
  -- First its row: a claim that is still on its way has it locked, or finds it gone.
  delete from bellhand.workers x where x.id = p_id returning * into w;
  if found then
    insert into bellhand.events (type, actor, data)
      values ('worker_stopped', w.name, jsonb_build_object('worker', w.name, 'host', w.host, 'pid', w.pid));
  end if;
  held := bellhand.drop_leases(array(select l.id from bellhand.leases l where l.worker = p_id));
  delete from bellhand.lane_holds h where h.worker = p_id;
  perform bellhand.ring();
  return bellhand.release_held(p_id, held.ids, held.epochs, held.run_seconds);
end $$;
