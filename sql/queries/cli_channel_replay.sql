-- Sends again what failed to channel or address $1 in the last $2 seconds, as actor $3; how many.
select bellhand.replay($1, bellhand.now() - make_interval(secs => $2)) as jobs from (select set_config('bellhand.actor', $3, true) offset 0) who
