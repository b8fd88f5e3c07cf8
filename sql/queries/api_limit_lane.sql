-- Changes the limits of lane $1 by $2, as actor $3; the function takes the lane lock.
select bellhand.limit_lane($1, $2::text::jsonb)::text as said from (select set_config('bellhand.actor', $3, true) offset 0) who
