-- Pauses schedule $1, or resumes it unless $2, for reason $3, as actor $4.
select bellhand.pause_schedule($1, $2, $3)::text as said from (select set_config('bellhand.actor', $4, true) offset 0) who
