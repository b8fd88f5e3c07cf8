-- Tells a worker, by its id or name, to claim nothing more until undrain_worker: what runs hands itself back at its next step, or ends.
-- Returns its id. The worker hears of it at once if it listens, else with its next beat. It holds for the life of the worker's process.
create or replace function bellhand.drain_worker(p_worker text, p_reason text default null) returns uuid language plpgsql as $$
declare
  w bellhand.workers := bellhand.find_worker(p_worker);
begin
  update bellhand.workers x set drain_asked_at = coalesce(x.drain_asked_at, bellhand.now()), drain_reason = p_reason, draining = true where x.id = w.id;
  if not found then perform bellhand.find_worker(w.id::text); end if;  -- it ended meanwhile
  insert into bellhand.events (type, data) values ('worker_drained',
    jsonb_build_object('worker', w.name, 'host', w.host, 'pid', w.pid, 'reason', p_reason));
  perform bellhand.call_workers();
  return w.id;
end $$;
