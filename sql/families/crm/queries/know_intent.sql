-- Writes down that Stripe knows payment $1 as $2, in test mode or not. The first to say so is right: one payment is one PaymentIntent.
update bellhand_crm.payments set intent_id = coalesce(intent_id, $2), live = coalesce(live, $3),
    state = case when state = 'new' then 'confirming' else state end
  where id = $1
  returning intent_id
