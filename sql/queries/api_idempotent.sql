-- Whether caller $1 sent a request with Idempotency-Key $2 in the last 24 hours that was taken.
select i.at from bellhand.idempotency i where i.caller = $1 and i.key = $2 and i.at > bellhand.now() - interval '24 hours'
