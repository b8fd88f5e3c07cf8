-- Mutes failure $1 for $2 seconds for reason $3, as actor $4; 0 seconds unmute it.
select bellhand.mute_failure($1, $2, $3) as said from (select set_config('bellhand.actor', $4, true) offset 0) who
