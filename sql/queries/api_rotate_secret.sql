-- Gives webhook $1 a new secret; the old ones sign beside it for $2 seconds; as actor $3.
select bellhand.rotate_secret($1, $2) as secret from (select set_config('bellhand.actor', $3, true) offset 0) who
