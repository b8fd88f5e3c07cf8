-- Tells the jobs of filter $1 to do $2 if $3 of them match, for reason $4, as actor $5; the function takes the row locks.
select b.operation, b.jobs from (select set_config('bellhand.actor', $5, true) offset 0) who
cross join lateral bellhand.bulk_act($1::text::jsonb, $2, $3::bigint, $4) b
