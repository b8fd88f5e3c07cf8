-- Keeps a worker's leases alive and tells it which of its jobs to stop: lost (its lease is gone, or it was placed anew),
-- cancel, pause.
-- The first row says whether another worker has been silent for p_lease_seconds (rescue) or not (ok), and how many seconds
-- from now that can come about. No row at all means that this worker was given up: it must stop everything and register anew.
create or replace function bellhand.beat(
  p_worker uuid, p_busy integer, p_draining boolean, p_ids bigint[], p_epochs integer[], p_leases bigint[],
  p_lease_seconds float8)
returns table (id bigint, epoch integer, stop text, quiet_seconds float8) language plpgsql as $$
begin
  update bellhand.workers w set beat = bellhand.now(), busy = p_busy, draining = p_draining where w.id = p_worker;
  if not found then return; end if;
  quiet_seconds := (select p_lease_seconds - extract(epoch from bellhand.now() - min(w.beat)) from bellhand.workers w);
  stop := case when quiet_seconds < 0 then 'rescue' else 'ok' end;
  return next;
  return query
    select u.id, u.epoch, case when j.id is null then 'lost' else j.stop end, null::float8
    from unnest(p_ids, p_epochs, p_leases) u(id, epoch, lease)
    left join bellhand.leases l on l.id = u.lease and l.worker = p_worker
    left join bellhand.jobs j on j.id = u.id and j.epoch = u.epoch and l.id is not null
    where j.id is null or j.stop is not null;
end $$;
