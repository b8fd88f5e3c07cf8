-- Changes job $1 by $2 if its row is at version $3 (null: whatever it is), as actor $4; the function takes the row lock.
select bellhand.change($1, $2::text::jsonb, $3)::text as said from (select set_config('bellhand.actor', $4, true) offset 0) who
