-- Purges job $1 for reason $2, as actor $3; the function guards.
select bellhand.purge($1, $2) as said from (select set_config('bellhand.actor', $3, true) offset 0) who
