-- Hands back, without burning an attempt, what a claim gave to this worker in an answer that got lost: leases of its own
-- none of whose jobs (p_known: what it runs and what it has not settled) it knows. Called by the loop that claims, so no
-- claim is under way; the epoch fences the rest.
create or replace function bellhand.hand_back_unknown(p_worker uuid, p_known bigint[]) returns bigint language plpgsql as $$
declare
  ids bigint[]; epochs integer[]; n integer;
begin
  with gone as (
    delete from bellhand.leases l where l.worker = p_worker and not l.ids && p_known returning l.ids, l.epochs)
  select array_agg(u.id), array_agg(u.epoch) into ids, epochs from gone g cross join unnest(g.ids, g.epochs) u(id, epoch);
  if ids is null then return 0; end if;
  n := cardinality(ids);
  return (select count(*) from bellhand.settle_others(ids, epochs, array_fill('release'::text, array[n]), array_fill(0::float8, array[n]),
    array_fill(null::text, array[n]), array_fill(null::text, array[n]), '{}'));
end $$;
