-- Customers as the model of expected purchases sees them at a moment, in weeks; who is deleted is expected to buy nothing.
create or replace function bellhand_crm.lifetimes(as_of timestamptz)
returns table (customer_id text, repeats integer, last_week integer, age_weeks integer) language sql stable parallel safe
set search_path = pg_catalog, pg_temp as $$
  select f.customer_id, (f.orders - 1)::integer, round(extract(epoch from f.last_at - f.first_at) / 604800)::integer,
         greatest(round(extract(epoch from as_of - f.first_at) / 604800), round(extract(epoch from f.last_at - f.first_at) / 604800))::integer
    from bellhand_crm.customer_figures f join bellhand_crm.customers c on c.id = f.customer_id
    where c.deleted_at is null
$$;
revoke execute on function bellhand_crm.lifetimes from public;
select bellhand.allow('worker', 'execute on function bellhand_crm.lifetimes');
