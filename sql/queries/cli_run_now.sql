-- Makes scheduled or retrying job $1 ready, as actor $2; the function takes the row lock.
select bellhand.run_now($1) as said from (select set_config('bellhand.actor', $2, true) offset 0) who
