-- Takes token $1 back, as actor $2.
select bellhand.revoke_token($1)::text as said from (select set_config('bellhand.actor', $2, true) offset 0) who
