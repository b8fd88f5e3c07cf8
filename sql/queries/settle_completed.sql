-- Settles completed jobs, fenced by (id, epoch); returns the ids accepted.
select settle_completed as id from bellhand.settle_completed($1, $2, $3, $4, $5, $6)
