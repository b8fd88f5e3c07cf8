-- Puts what stage $3 of run $1 is to ask about into chunks of $4 items; guarded by its epoch $2, null if it has a later one.
select bellhand_matching.plan_chunks($1, $2, $3, $4, $5)
