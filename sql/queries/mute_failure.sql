-- Leaves group $1 out of what is shown first for $2 seconds (null: for good, 0: not any more) for reason $3, where $4 until the next deploy, as actor $5.
select bellhand.mute_failure($1, $2, $3, $4) as until from (select set_config('bellhand.actor', $5, true) offset 0) who
