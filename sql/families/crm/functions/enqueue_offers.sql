-- Enqueues the offers of open opportunities, the most valuable first, at most so many, and returns how many jobs are new. Left out are
-- those whose offer went out in their status and those whose customer may not be written to, so that they take nobody's place. The
-- unique key keeps it at one live job an opportunity.
create or replace function bellhand_crm.enqueue_offers(most integer default 500)
returns integer language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare added integer;
begin
  insert into bellhand.jobs (kind, payload, unique_key, priority, source)
    select 'crm.process_opportunity_offer', jsonb_build_object('opportunityId', o.id), 'opportunity:' || o.id,
           bellhand.priority(o.urgency, c.tier, o.estimated_value), 'crm'
      from bellhand_crm.opportunities o
      join bellhand_crm.customers c on c.id = o.customer_id
      where o.status in ('new', 'qualified', 'proposal') and c.deleted_at is null and c.consent and c.email is not null
        and not exists (select from bellhand_crm.suppressions s where s.address = lower(c.email))
        and not exists (select from bellhand_crm.messages m where m.customer_id = o.customer_id and m.purpose = 'offer'
          and m.key = o.id || ' ' || o.status and m.state <> 'deferred')
      order by o.estimated_value desc, o.id
      limit most
    on conflict (kind, unique_key) where unique_key is not null do nothing;
  get diagnostics added = row_count;
  return added;
end $$;
revoke execute on function bellhand_crm.enqueue_offers from public;
select bellhand.allow(who, 'execute on function bellhand_crm.enqueue_offers') from unnest(array['producer', 'worker']) who;
