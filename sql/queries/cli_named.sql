-- Up to three jobs with an id from $1 to $2 and a key from $3 to $4.
select n.id, n.key from bellhand.jobs_by_key($1, $2, $3, $4) n
