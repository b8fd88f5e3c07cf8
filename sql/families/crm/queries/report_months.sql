-- The newest $1 months in which somebody bought something, oldest first; `new` is of customers who bought for the first time.
select m.month, m.customers, m.orders, m.amount, m.new_customers, m.new_amount from (
  select c.month, sum(c.customers)::bigint as customers, sum(c.orders)::bigint as orders, sum(c.amount) as amount,
         coalesce(sum(c.customers) filter (where c.cohort = c.month), 0)::bigint as new_customers,
         coalesce(sum(c.amount) filter (where c.cohort = c.month), 0) as new_amount
    from bellhand_crm.cohort_months c group by c.month order by c.month desc limit $1) m
  order by m.month
