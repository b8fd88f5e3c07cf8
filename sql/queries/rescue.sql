-- Takes back jobs of workers silent for $1 seconds, failing those that crashed $2 times, as worker $3 (null: anybody).
select worker, name, jobs, failed from bellhand.rescue($1, $2, $3)
