-- Moves up to $1 due jobs to the queue, looking from $2 on; SKIP LOCKED inside.
select moved, next_seconds, upto from bellhand.promote($1, $2)
