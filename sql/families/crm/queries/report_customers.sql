-- The $1 customers who bought for the most; days in the time zone of the months, as text.
select c.id, c.name, c.tier, f.orders, f.amount, f.quantity, f.cohort, f.recency, f.frequency, f.monetary, f.segment, f.expected_amount,
       to_char(timezone(a.months_time_zone, f.first_at), 'YYYY-MM-DD') as first_on, to_char(timezone(a.months_time_zone, f.last_at), 'YYYY-MM-DD') as last_on
  from bellhand_crm.customer_figures f join bellhand_crm.customers c on c.id = f.customer_id cross join bellhand_crm.analytics a
  where c.deleted_at is null
  order by f.amount desc, c.id limit $1
