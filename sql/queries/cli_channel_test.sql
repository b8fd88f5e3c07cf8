-- Sends a message to channel $1 that says that it works, as actor $2; the job that delivers it.
select bellhand.test_channel($1) as job from (select set_config('bellhand.actor', $2, true) offset 0) who
