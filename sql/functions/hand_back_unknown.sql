-- Sets right what an outage left unsure, before this worker claims again. Hands back, without burning an attempt, what a
-- claim gave in an answer that got lost: leases of its own none of whose jobs it runs (p_ids, p_epochs) or has still to
-- settle (p_unsettled). And names the jobs it runs that are not its own: a claim commits asynchronously, so a crash of
-- the server may have undone it, and the next claim would give the same epoch once more.
create or replace function bellhand.hand_back_unknown(
  p_worker uuid, p_ids bigint[], p_epochs integer[], p_unsettled bigint[], out handed_back bigint, out lost bigint[]) language plpgsql as $$
declare
  ids bigint[]; epochs integer[]; n integer;
begin
  with gone as (
    delete from bellhand.leases l where l.worker = p_worker and not l.ids && (p_ids || p_unsettled) returning l.ids, l.epochs)
  select array_agg(u.id), array_agg(u.epoch) into ids, epochs from gone g cross join unnest(g.ids, g.epochs) u(id, epoch);
  lost := array(
    select u.id from unnest(p_ids, p_epochs) u(id, epoch)
    where not exists (select from bellhand.jobs j where j.id = u.id and j.epoch = u.epoch and j.worker = p_worker));
  handed_back := 0;
  if ids is null then return; end if;
  n := cardinality(ids);
  handed_back := (select count(*) from bellhand.settle_others(ids, epochs, array_fill('release'::text, array[n]), array_fill(0::float8, array[n]),
    array_fill(null::text, array[n]), array_fill(null::text, array[n]), '{}'));
end $$;
