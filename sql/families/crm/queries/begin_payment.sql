-- Begins payment $1, or says why not (begin_payment.sql).
select verdict, seconds, reason, (payment).* from bellhand_crm.begin_payment($1, $2, $3, $4, $5, $6, $7, $8, $9)
