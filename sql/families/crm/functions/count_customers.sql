-- Counts the orders of these customers into customer_months and customer_figures, and adds what they come to to cohort_months; null: everybody's.
-- In plpgsql, so that it is planned for these ids. Their old part must have been taken out of cohort_months and customer_months. Scores that a customer has are kept until the next ranking.
create or replace function bellhand_crm.count_customers(ids text[]) returns void language plpgsql
set search_path = pg_catalog, pg_temp as $$
begin
  insert into bellhand_crm.customer_months (customer_id, month, orders, amount, quantity, first_at, last_at)
    select o.customer_id, date_trunc('month', timezone(a.months_time_zone, o.ordered_at))::date as month,
           count(*), sum(o.amount), sum(o.quantity), min(o.ordered_at), max(o.ordered_at)
      from bellhand_crm.orders o cross join bellhand_crm.analytics a
      where ids is null or o.customer_id = any(ids)
      group by 1, 2;
  insert into bellhand_crm.customer_figures as f (customer_id, cohort, orders, amount, quantity, first_at, last_at)
    select m.customer_id, min(m.month), sum(m.orders), sum(m.amount), sum(m.quantity), min(m.first_at), max(m.last_at)
      from bellhand_crm.customer_months m
      where ids is null or m.customer_id = any(ids)
      group by 1
    on conflict (customer_id) do update set cohort = excluded.cohort, orders = excluded.orders, amount = excluded.amount,
      quantity = excluded.quantity, first_at = excluded.first_at, last_at = excluded.last_at;
  insert into bellhand_crm.cohort_months as c (cohort, month, customers, orders, amount, quantity)
    select f.cohort, m.month, count(*), sum(m.orders), sum(m.amount), sum(m.quantity)
      from bellhand_crm.customer_months m join bellhand_crm.customer_figures f using (customer_id)
      where ids is null or m.customer_id = any(ids)
      group by 1, 2
    on conflict (cohort, month) do update set customers = c.customers + excluded.customers, orders = c.orders + excluded.orders,
      amount = c.amount + excluded.amount, quantity = c.quantity + excluded.quantity;
end $$;
revoke execute on function bellhand_crm.count_customers from public;
select bellhand.allow('worker', 'execute on function bellhand_crm.count_customers');
