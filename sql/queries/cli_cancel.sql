-- Cancels job $1 for reason $2 as actor $3; the function takes the row lock.
select bellhand.cancel($1, $2) as said from (select set_config('bellhand.actor', $3, true) offset 0) who
