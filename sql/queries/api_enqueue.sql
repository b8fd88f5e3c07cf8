-- Enqueues jobs $1 of source $2, once if caller $3 gives key $4 for a request of fingerprint $5 (see the function).
select ordinal, id, key, created, replayed from bellhand.enqueue_once($1::text::jsonb, $2, $3, $4, $5)
