-- Makes or changes channel $1 of kind $2 at address $3 with digest seconds $4 and number $5, as actor $6; its new secret, if any.
select bellhand.set_channel($1, $2, $3, $4, $5) as secret from (select set_config('bellhand.actor', $6, true) offset 0) who
