-- Settles every other end of an attempt, fenced by (id, epoch) and lease; returns what became of the accepted ones.
select id, outcome from bellhand.settle_others($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
