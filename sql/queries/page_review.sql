-- A person's word $2 on match $1, as actor $3, who is written down as its reviewer; the function takes the row lock.
select r.project_id, r.status from (select set_config('bellhand.actor', $3::text, true) offset 0) who cross join lateral bellhand_matching.review($1, $2, $3) r
