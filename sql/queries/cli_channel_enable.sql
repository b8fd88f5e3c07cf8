-- Lets deliveries to channel $1 go out again, as actor $2.
select bellhand.enable_channel($1)::text as said from (select set_config('bellhand.actor', $2, true) offset 0) who
