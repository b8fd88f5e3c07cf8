-- Takes back jobs of workers silent for $1 seconds, failing those that crashed $2 times; SKIP LOCKED inside.
select worker, name, jobs, failed from bellhand.rescue($1, $2)
