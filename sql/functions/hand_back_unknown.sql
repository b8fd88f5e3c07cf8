-- Sets right what an outage left unsure, before this worker claims again. Hands back, without burning an attempt, what a
-- claim gave in an answer that got lost: leases of its own that it does not know (p_known: those of jobs that it runs or has
-- still to settle). And names the jobs it runs (p_ids, p_epochs) that are not its own: a claim commits asynchronously, so a
-- crash of the server may have undone it.
-- It goes by leases, not by jobs: a job that it lost, and has not ended yet, may be in an unknown lease as well, beside others.
-- Guard: a claim that is still on its way carries the generation before this one, and is refused whenever it arrives.
create or replace function bellhand.hand_back_unknown(
  p_worker uuid, p_ids bigint[], p_epochs integer[], p_known bigint[],
  out handed_back bigint, out lost bigint[], out generation integer) language plpgsql as $$
declare
  held record;
begin
  -- The generation is no key: the update alone would not wait for a claim that holds the key share lock.
  perform from bellhand.workers w where w.id = p_worker for update;
  update bellhand.workers w set generation = w.generation + 1 where w.id = p_worker returning w.generation into hand_back_unknown.generation;
  held := bellhand.drop_leases(array(
    select l.id from bellhand.leases l where l.worker = p_worker and l.id <> all (p_known)));
  lost := array(select u.id from unnest(p_ids, p_epochs) u(id, epoch)
    where not exists (select from bellhand.running r where r.worker = p_worker and r.id = u.id and r.epoch = u.epoch)
       or not exists (select from bellhand.jobs j where j.id = u.id and j.epoch = u.epoch));
  handed_back := bellhand.release_held(p_worker, held.ids, held.epochs, held.run_seconds);
end $$;
