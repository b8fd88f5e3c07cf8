-- One opportunity, as its offer needs it.
select id, customer_id, title, offer, url, status, estimated_value from bellhand_crm.opportunities where id = $1
