-- Writes how refund $1 fares: its state, Stripe's id for it, and the words of a refusal. What is given back stays so.
update bellhand_crm.refunds set state = $2, refund_id = coalesce($3, refund_id), said = left($4, 1000), settled_at = bellhand.now()
  where id = $1 and state in ('new', 'failed')
  returning id
