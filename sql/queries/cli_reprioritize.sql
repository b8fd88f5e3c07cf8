-- Gives job $1 priority $2 (10 first, 1 last), as actor $3; the function takes the row lock.
select 'priority ' || $2::integer from (select set_config('bellhand.actor', $3, true), bellhand.change($1, jsonb_build_object('priority', $2::integer)) offset 0) who
