-- Hands back, without burning an attempt, what leases held that are gone by now: how many jobs went back.
create or replace function bellhand.release_held(p_worker uuid, p_ids bigint[], p_epochs integer[], p_run_seconds real[])
returns bigint language plpgsql as $$
declare
  n integer := cardinality(p_ids);
begin
  if p_ids is null then return 0; end if;
  return (select count(*) from bellhand.settle_others(p_worker, null, p_ids, p_epochs, array_fill('release'::text, array[n]),
    array_fill(0::float8, array[n]), array_fill(null::text, array[n]), array_fill(null::text, array[n]), p_run_seconds, '{}'));
end $$;
