-- Makes a ticket with digest $1 for job $2 (its key $3), which may cancel it if $4, good for $5 seconds; made by $6.
insert into bellhand.tickets (digest, job, key, cancel, expires_at, made_by)
  values ($1, $2, $3, $4, bellhand.now() + make_interval(secs => $5), $6) returning expires_at
