-- Keeps worker $1 alive; no row when it was given up (see the function).
select said, quiet_seconds, drained from bellhand.beat($1, $2, $3, $4)
