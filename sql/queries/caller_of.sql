-- Who shows the token (or the session, if $2) of digest $1; $3 is the digest of the configured token.
select name, scopes from bellhand.caller_of($1, $2, $3)
