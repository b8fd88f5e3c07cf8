-- Gives all these opportunities one status, in one statement: all of them or, where one is unknown, none. Returns how many changed. Rows are
-- locked in the order of their ids, so that two batches cannot wait for each other.
create or replace function bellhand_crm.process_opportunity_batch(opportunity_ids text[], status text)
returns integer language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  unknown text;
  changed integer;
begin
  perform from bellhand_crm.opportunities o where o.id = any (opportunity_ids) order by o.id for no key update;
  select string_agg(i, ', ' order by i) into unknown from unnest(opportunity_ids) i
    where not exists (select from bellhand_crm.opportunities o where o.id = i);
  if unknown is not null then
    raise exception using errcode = 'no_data_found', message = format('there are no opportunities %s; none was changed', left(unknown, 500));
  end if;
  update bellhand_crm.opportunities o set status = process_opportunity_batch.status
    where o.id = any (opportunity_ids) and o.status is distinct from process_opportunity_batch.status;
  get diagnostics changed = row_count;
  return changed;
end $$;
revoke execute on function bellhand_crm.process_opportunity_batch from public;
select bellhand.allow(who, 'execute on function bellhand_crm.process_opportunity_batch') from unnest(array['producer', 'worker']) who;
