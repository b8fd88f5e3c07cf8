-- Takes a job that waits out of the place where it waits; false when it was in none, so a worker has it.
-- Guards: the caller holds the lock of the job's row, so that no settle places it meanwhile; and it can only move the way
-- these statements look, from parked and scheduled to the queue to a lease, each waiting for whoever is moving it.
create or replace function bellhand.take_out(p_id bigint) returns boolean language plpgsql as $$
declare
  j record;
begin
  select x.kind, x.run_at into j from bellhand.jobs x where x.id = p_id;
  delete from bellhand.parked p where p.kind = j.kind and p.id = p_id;
  if found then return true; end if;
  delete from bellhand.scheduled s where s.run_at = j.run_at and s.id = p_id;
  if found then return true; end if;
  delete from bellhand.queue q where q.id = p_id;
  return found;
end $$;
