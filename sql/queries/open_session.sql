-- Opens session $1 with token $2 (digests) for caller $3 with scopes $4, for $5 seconds.
select bellhand.open_session($1, $2, $3, $4, $5)::text
