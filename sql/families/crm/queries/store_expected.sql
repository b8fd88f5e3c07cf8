-- Writes what customers are expected to spend: the orders $5 of their group ($2 repeats, $3 last_week, $4 age_weeks, as of $1), each worth what
-- theirs were so far, drawn towards everybody's as if by two average orders. Only rows that change are written, with the row of analytics locked, as
-- by whoever counts.
with alone as (update bellhand_crm.analytics set expected_at = $1 returning single)
update bellhand_crm.customer_figures f set expected_amount = e.amount
  from (select o.customer_id, round(g.orders::numeric * (o.amount + 2 * m.mean) / (o.orders + 2), 2) as amount
          from alone cross join bellhand_crm.customer_figures o
          left join bellhand_crm.lifetimes($1) l using (customer_id)
          cross join (select coalesce(sum(amount) / nullif(sum(orders), 0), 0) as mean from bellhand_crm.customer_figures) m
          left join unnest($2::integer[], $3::integer[], $4::integer[], $5::float8[]) as g(repeats, last_week, age_weeks, orders)
            using (repeats, last_week, age_weeks)) e
  where f.customer_id = e.customer_id and f.expected_amount is distinct from e.amount
