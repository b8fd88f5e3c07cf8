-- The gates job $1 waits at, the nearest first.
select gate, detail, fix from bellhand.why($1)
