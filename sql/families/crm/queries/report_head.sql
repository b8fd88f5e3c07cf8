-- What there is altogether, as a report begins; times in the time zone of the months, as text.
select to_char(timezone(a.months_time_zone, bellhand.now()), 'YYYY-MM-DD HH24:MI') as made_at, a.months_time_zone as time_zone, p.currency,
       (select count(*) from bellhand_crm.customers c where c.deleted_at is null) as customers,
       f.buyers, f.repeat_buyers, f.orders, f.amount, f.quantity, f.expected_amount,
       date_trunc('month', timezone(a.months_time_zone, bellhand.now()))::date as this_month
  from bellhand_crm.analytics a cross join bellhand_crm.policy p
  cross join (select count(*) as buyers, count(*) filter (where orders > 1) as repeat_buyers, coalesce(sum(orders), 0)::bigint as orders,
                coalesce(sum(amount), 0) as amount, coalesce(sum(quantity), 0)::bigint as quantity,
                sum(expected_amount) as expected_amount from bellhand_crm.customer_figures) f
