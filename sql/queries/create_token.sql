-- Makes token $1 with scopes $2 of digest $3 for $4 seconds (null: for good), as actor $5.
select bellhand.create_token($1, $2, $3, $4) as id from (select set_config('bellhand.actor', $5, true) offset 0) who
