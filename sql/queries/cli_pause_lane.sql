-- Stops claims from lane $1 for reason $2 until $3 (null: until it is resumed), as actor $4.
select bellhand.pause_lane($1, $2, $3)::text as said from (select set_config('bellhand.actor', $4, true) offset 0) who
