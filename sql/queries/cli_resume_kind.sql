-- Lets jobs of kind $1 start again, as actor $2; returns how many were put back into the queue.
select bellhand.resume_kind($1) as said from (select set_config('bellhand.actor', $2, true) offset 0) who
