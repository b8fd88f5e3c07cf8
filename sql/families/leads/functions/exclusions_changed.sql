-- Has the leads there are looked at again when the list of exclusions changes; one live job does it however many changes
-- there are. While no daemon has published the kind it is a warning and no more: the list itself holds for what is found next.
create or replace function bellhand_leads.exclusions_changed() returns trigger language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
begin
  insert into bellhand.jobs (kind, unique_key, source) values ('leads.apply_exclusions', 'exclusions', 'leads')
    on conflict (kind, unique_key) where unique_key is not null do nothing;
  return null;
exception when others then
  raise warning 'the exclusions do not yet hold for leads found before: %', sqlerrm
    using hint = 'Start a daemon with the module bellhand.families.leads, then: bellhand enqueue leads.apply_exclusions';
  return null;
end $$;
revoke execute on function bellhand_leads.exclusions_changed from public;

create or replace trigger exclusions_changed after insert or update or delete on bellhand_leads.exclusions
  for each statement execute function bellhand_leads.exclusions_changed();
