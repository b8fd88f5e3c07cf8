-- Lets paused job $1 go on, as actor $2; the function takes the row lock.
select bellhand.resume($1) as said from (select set_config('bellhand.actor', $2, true) offset 0) who
