-- Leaves group $1 out of what is shown first for $2 seconds (null: for good, 0: not any more) for reason $3, as actor $4.
select bellhand.mute_failure($1, $2, $3) as until from (select set_config('bellhand.actor', $4, true) offset 0) who
