-- Claims as claim.sql does, and says in the same statement that this worker sleeps for $14 seconds more; for a worker whose
-- flag should still be up: was_up says whether every insert since the last look rang (see both functions).
with asleep as materialized (select * from bellhand.fall_asleep($14))
select c.*, a.token, a.xid, a.was_up from asleep a cross join bellhand.claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) c
