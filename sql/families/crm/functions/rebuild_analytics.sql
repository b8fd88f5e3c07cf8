-- Counts everybody anew, in the time zone of the policy: returns how many customers bought something; no row while somebody else counts.
-- Readers see the old figures until it commits. Changes are taken out first, for the reason that roll_up gives.
create or replace function bellhand_crm.rebuild_analytics()
returns table (counted bigint) language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform from bellhand_crm.analytics for update skip locked;
  if not found then return; end if;
  update bellhand_crm.analytics set months_time_zone = (select p.months_time_zone from bellhand_crm.policy p);
  delete from bellhand_crm.order_changes;
  delete from bellhand_crm.cohort_months;
  delete from bellhand_crm.customer_months;
  perform bellhand_crm.count_customers(null);
  delete from bellhand_crm.customer_figures f
    where not exists (select from bellhand_crm.customer_months m where m.customer_id = f.customer_id);
  return query select count(*) from bellhand_crm.customer_figures;
end $$;
revoke execute on function bellhand_crm.rebuild_analytics from public;
select bellhand.allow('worker', 'execute on function bellhand_crm.rebuild_analytics');
