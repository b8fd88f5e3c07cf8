-- Payments of the last $1 days by currency and state, those of Stripe's test mode apart; amounts in the smallest unit.
select currency, state, live is false as test, count(*) as payments, sum(amount)::bigint as amount
  from bellhand_crm.payments where begun_at >= bellhand.now() - make_interval(days => $1)
  group by 1, 2, 3 order by 3, 1, 4 desc, 2
