-- Stops deliveries to channel $1 for reason $2, as actor $3.
select bellhand.disable_channel($1, $2)::text as said from (select set_config('bellhand.actor', $3, true) offset 0) who
