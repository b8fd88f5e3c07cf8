-- Releases children whose parent finished while their own insert was not yet committed: neither saw the other. Looks at
-- rows written since transaction p_since and returns the oldest transaction that runs: this look has seen all that is older. Not
-- the next p_since, since the end of a parent may have looked before that and not be committed (see Swept in store.py).
create or replace function bellhand.sweep_dependencies(p_since xid8) returns xid8 language plpgsql as $$
declare
  bound xid8 := pg_snapshot_xmin(pg_current_snapshot());
begin
  perform bellhand.release_dependents(array(
    select distinct d.parent from bellhand.dependencies d
    where d.xid >= p_since and not exists (select from bellhand.jobs j where j.id = d.parent)));
  return bound;
end $$;
