-- Counts anew at most so many customers whose orders changed, of those behind `after`: returns how many they were and the last of them; no row
-- while somebody else counts. The row of analytics is locked, so cohort_months always is what customer_months come to. Changes are taken out
-- before the orders are read: one that commits in between stays noted, and its customer is counted once more than needed, never once less.
create or replace function bellhand_crm.roll_up(after text, customers_max integer)
returns table (counted integer, last_customer text) language plpgsql set search_path = pg_catalog, pg_temp as $$
declare ids text[];
begin
  perform from bellhand_crm.analytics for update skip locked;
  if not found then return; end if;
  ids := array(select c.customer_id from bellhand_crm.order_changes c where c.customer_id > after group by 1 order by 1 limit customers_max);
  delete from bellhand_crm.order_changes c where c.customer_id = any(ids);
  update bellhand_crm.cohort_months c
    set customers = c.customers - o.customers, orders = c.orders - o.orders, amount = c.amount - o.amount, quantity = c.quantity - o.quantity
    from (select f.cohort, m.month, count(*) as customers, sum(m.orders) as orders, sum(m.amount) as amount, sum(m.quantity) as quantity
            from bellhand_crm.customer_months m join bellhand_crm.customer_figures f using (customer_id)
            where m.customer_id = any(ids) group by 1, 2) o
    where c.cohort = o.cohort and c.month = o.month;
  delete from bellhand_crm.customer_months m where m.customer_id = any(ids);
  perform bellhand_crm.count_customers(ids);
  delete from bellhand_crm.customer_figures f
    where f.customer_id = any(ids) and not exists (select from bellhand_crm.customer_months m where m.customer_id = f.customer_id);
  delete from bellhand_crm.cohort_months c where c.customers = 0;
  return query select cardinality(ids), ids[cardinality(ids)];
end $$;
revoke execute on function bellhand_crm.roll_up from public;
select bellhand.allow('worker', 'execute on function bellhand_crm.roll_up');
