-- Lets a worker that was drained, by its id or name, claim again; returns its id. One that goes down says with its next beat that it drains still.
create or replace function bellhand.undrain_worker(p_worker text) returns uuid language plpgsql as $$
declare
  w bellhand.workers := bellhand.find_worker(p_worker);
begin
  if w.drain_asked_at is null then return w.id; end if;
  update bellhand.workers x set drain_asked_at = null, drain_reason = null, draining = false where x.id = w.id;
  insert into bellhand.events (type, data) values ('worker_undrained', jsonb_build_object('worker', w.name, 'host', w.host, 'pid', w.pid));
  perform bellhand.call_workers();
  return w.id;
end $$;
