-- Enqueues the checks of businesses whose website is new or changed, or that are no longer excluded.
-- Whatever goes wrong there is a warning and no more: entering businesses must not fail or wait for a daemon.
create or replace function bellhand_sites.businesses_changed() returns trigger language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
declare ids bigint[];
begin
  if tg_op = 'INSERT' then
    select array_agg(c.id) into ids from changed c where c.website is not null and c.auto_check and not c.excluded;
  else
    select array_agg(c.id) into ids from changed c join before b using (id)
      where c.website is not null and c.auto_check and not c.excluded and (b.website is distinct from c.website or b.excluded);
  end if;
  if ids is null then return null; end if;
  perform bellhand_sites.enqueue_checks(ids);
  return null;
exception when others then
  raise warning 'the checks of % businesses were not enqueued: %', cardinality(ids), sqlerrm
    using hint = 'Start a daemon with the module bellhand.families.sites, then: select bellhand_sites.enqueue_unchecked()';
  return null;
end $$;
revoke execute on function bellhand_sites.businesses_changed from public;

create or replace trigger businesses_inserted after insert on bellhand_sites.businesses
  referencing new table as changed for each statement execute function bellhand_sites.businesses_changed();
create or replace trigger businesses_updated after update on bellhand_sites.businesses
  referencing old table as before new table as changed for each statement execute function bellhand_sites.businesses_changed();
