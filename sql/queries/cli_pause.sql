-- Holds job $1 as actor $2; the function takes the row lock.
select bellhand.pause($1) as said from (select set_config('bellhand.actor', $2, true) offset 0) who
