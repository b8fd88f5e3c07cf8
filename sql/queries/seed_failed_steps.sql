-- The steps of job $1 that failed, at most $2, with their errors.
select s.name, s.error from bellhand.steps s where s.job = $1 and s.state = 'failed' order by s.position limit $2
