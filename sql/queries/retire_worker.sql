-- Takes this worker out and hands back what it still holds.
select bellhand.retire_worker($1)
