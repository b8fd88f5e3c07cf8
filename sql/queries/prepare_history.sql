-- Makes the history partitions of the next $1 days; idempotent.
select bellhand.prepare_history($1)
