-- Gives payment $1 new keys for its requests, if try $2 is still its last: Stripe answers the old ones with the same fault for a day.
update bellhand_crm.payments set tries = tries + 1 where id = $1 and tries = $2 and state <> 'succeeded'
