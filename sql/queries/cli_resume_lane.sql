-- Lets lane $1 be claimed from again, as actor $2.
select bellhand.resume_lane($1)::text as said from (select set_config('bellhand.actor', $2, true) offset 0) who
