-- The segments, the most valuable first; customers that are deleted are in none.
select f.segment, count(*) as customers, sum(f.orders)::bigint as orders, sum(f.amount) as amount
  from bellhand_crm.customer_figures f where f.segment is not null
  group by f.segment order by sum(f.amount) desc, f.segment
