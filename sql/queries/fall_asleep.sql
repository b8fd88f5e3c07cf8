-- Says that this worker sleeps for $1 seconds; guarded by the id it returns (see the function).
select token, xid, was_up from bellhand.fall_asleep($1)
