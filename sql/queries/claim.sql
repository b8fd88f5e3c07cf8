-- Claims a batch; the first row is the lease and what was visible (see the function).
select * from bellhand.claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
