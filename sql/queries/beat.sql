-- Keeps worker $1 alive and returns which of its jobs to stop; the first row says that it is still known.
select id, epoch, stop, quiet_seconds from bellhand.beat($1, $2, $3, $4, $5, $6, $7)
