-- Payments of the last $1 days by currency and state, those of Stripe's test mode apart, with what was given back of them; amounts in the smallest unit.
select p.currency, p.state, p.live is false as test, count(*) as payments, sum(p.amount)::bigint as amount, coalesce(sum(r.amount), 0)::bigint as refunded
  from bellhand_crm.payments p
  left join lateral (select sum(b.amount) as amount from bellhand_crm.refunds b
                       where b.payment_id = p.id and b.state in ('pending', 'succeeded')) r on true
  where p.begun_at >= bellhand.now() - make_interval(days => $1)
  group by 1, 2, 3 order by 3, 1, 4 desc, 2
