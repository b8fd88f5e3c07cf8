-- Keeps a worker's leases alive. One row says whether another worker has been silent for p_lease_seconds (rescue) or not
-- (ok), how many seconds from now that can come about, and why this one is to claim nothing more ('' without a reason; null: it may).
-- No row means that this worker was given up: it must stop everything and register anew. It touches the workers alone, so that a lock
-- on the jobs costs nobody his leases.
create or replace function bellhand.beat(p_worker uuid, p_busy integer, p_draining boolean, p_lease_seconds float8)
returns table (said text, quiet_seconds float8, drained text) language plpgsql as $$
begin
  update bellhand.workers w set beat = bellhand.now(), busy = p_busy, draining = p_draining or w.drain_asked_at is not null,
      heard_again_at = case when w.beat < bellhand.now() - make_interval(secs => p_lease_seconds) then bellhand.now() else w.heard_again_at end
    where w.id = p_worker
    returning case when w.drain_asked_at is not null then coalesce(w.drain_reason, '') end into drained;
  if not found then return; end if;
  quiet_seconds := (select p_lease_seconds - extract(epoch from bellhand.now() - min(w.beat)) from bellhand.workers w);
  said := case when quiet_seconds < 0 then 'rescue' else 'ok' end;
  return next;
end $$;
