-- The ledger of mail, the newest first, before id $1 if given, of state $2; $3 of them, of which at most $4 are looked at.
select m.id, m.customer_id, m.purpose, m.promotional, m.address, m.subject, m.state, m.said, m.job_id, m.begun_at, m.settled_at
from (select * from bellhand_crm.messages x where ($1::bigint is null or x.id < $1) order by x.id desc limit $4) m
where $2::text is null or m.state = $2 order by m.id desc limit $3
