-- What the failures of group $1 have in common that completed jobs of their kind have not.
select fact, failures, failures_of, successes, successes_of from bellhand.failure_contrast($1)
