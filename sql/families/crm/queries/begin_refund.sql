-- Begins refund $1, or says why not (begin_refund.sql).
select verdict, seconds, reason, again, intent_id, (refund).* from bellhand_crm.begin_refund($1, $2, $3, $4, $5)
