-- Ranks all customers that are not deleted by recency, frequency and amount, and notes when; writes only the rows that change. Who is equal gets the
-- same score: one more than how many fifths of all customers lie below. Guarded by the row of analytics, which it updates.
with noted as (
  update bellhand_crm.analytics set updated_at = bellhand.now() returning single
), scored as (
  select f.customer_id,
         1 + 5 * (rank() over (order by f.last_at) - 1) / count(*) over () as recency,
         1 + 5 * (rank() over (order by f.orders) - 1) / count(*) over () as frequency,
         1 + 5 * (rank() over (order by f.amount) - 1) / count(*) over () as monetary
    from bellhand_crm.customer_figures f join bellhand_crm.customers c on c.id = f.customer_id and c.deleted_at is null
), named as (
  select f.customer_id, s.recency, s.frequency, s.monetary,
         bellhand_crm.segment(s.recency::integer, s.frequency::integer, s.monetary::integer) as segment
    from bellhand_crm.customer_figures f left join scored s using (customer_id)
), ranked as (
  update bellhand_crm.customer_figures f set recency = n.recency, frequency = n.frequency, monetary = n.monetary, segment = n.segment
    from named n
    where n.customer_id = f.customer_id
      and (f.recency, f.frequency, f.monetary, f.segment) is distinct from (n.recency, n.frequency, n.monetary, n.segment)
    returning 1
)
select (select count(*) from ranked) as ranked, (select count(*) from scored) as customers from noted
