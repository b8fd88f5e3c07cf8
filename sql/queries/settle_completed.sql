-- Settles completed jobs, fenced by (id, epoch) and lease; returns the ids that were lost, or null.
select bellhand.settle_completed($1, $2, $3, $4, $5, $6, $7, $8, $9)
