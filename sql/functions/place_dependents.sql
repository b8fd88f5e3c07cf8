-- Blocks new jobs until their parents are over; a parent that is over already counts at once, an unknown one is refused.
create or replace function bellhand.place_dependents(p_ids bigint[]) returns void language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
declare
  missing bigint;
begin
  select parent into missing from bellhand.jobs j cross join unnest(j.depends_on) parent
    where j.id = any (p_ids) and (parent = j.id
      or (not exists (select from bellhand.jobs p where p.id = parent) and not exists (select from bellhand.history h where h.id = parent)))
    limit 1;
  if missing is not null then
    raise exception using errcode = 'BH006', message = format('depends_on names job %s, which does not exist', missing),
      detail = 'It was never committed, or retention has removed it.',
      hint = 'Insert the parent first, in this transaction or an earlier one, and use the id that it returned.';
  end if;
  update bellhand.jobs set state = 'blocked' where id = any (p_ids);
  insert into bellhand.dependencies (parent, child)
    select distinct parent, j.id from bellhand.jobs j cross join unnest(j.depends_on) parent where j.id = any (p_ids);
  -- Parents that are over already, and children that named none.
  perform bellhand.release_dependents(array(
    select distinct d.parent from bellhand.dependencies d
    where d.child = any (p_ids) and not exists (select from bellhand.jobs p where p.id = d.parent)));
  perform bellhand.make_ready(array(
    select j.id from bellhand.jobs j where j.id = any (p_ids) and j.state = 'blocked'
      and not exists (select from bellhand.dependencies d where d.child = j.id)));
end $$;
revoke execute on function bellhand.place_dependents from public;
