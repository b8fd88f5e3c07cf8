-- Keeps a worker's leases alive and tells it which of its jobs to stop: lost (another claim has it), cancel, pause.
-- The first row says whether another worker has been silent for p_lease_seconds (rescue) or not (ok). No row at all
-- means that this worker was given up: it must stop everything and register anew.
create or replace function bellhand.beat(
  p_worker uuid, p_busy integer, p_draining boolean, p_ids bigint[], p_epochs integer[], p_lease_seconds float8)
returns table (id bigint, epoch integer, stop text) language plpgsql as $$
begin
  update bellhand.workers w set beat = bellhand.now(), busy = p_busy, draining = p_draining where w.id = p_worker;
  if not found then return; end if;
  return query select null::bigint, null::integer, case when exists (
    select from bellhand.workers w where w.beat < bellhand.now() - make_interval(secs => p_lease_seconds)) then 'rescue' else 'ok' end;
  return query
    select u.id, u.epoch, case when j.id is null then 'lost' else j.stop end
    from unnest(p_ids, p_epochs) u(id, epoch)
    left join bellhand.jobs j on j.id = u.id and j.epoch = u.epoch and j.worker = p_worker
    where j.id is null or j.stop is not null;
end $$;
