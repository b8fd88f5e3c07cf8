-- Takes channel $1 out, as actor $2.
select bellhand.remove_channel($1)::text as said from (select set_config('bellhand.actor', $2, true) offset 0) who
