-- What is hidden of job $1, for reason $2, as actor $3; the function writes that down first.
select r.payload::text as payload, r.result::text as result, r.error
from (select set_config('bellhand.actor', $3, true) offset 0) who cross join lateral bellhand.reveal($1, $2) r
