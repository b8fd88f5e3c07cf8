-- Runs job $1 again from its first step, as actor $2; its unique key guards against a second live one.
select bellhand.start_over($1) as said from (select set_config('bellhand.actor', $2, true) offset 0) who
