-- The kinds that are paused now.
select name from bellhand.kinds where paused
