-- One review that is asked for.
select id, customer_id, about, url, reviewed_at from bellhand_crm.reviews where id = $1
