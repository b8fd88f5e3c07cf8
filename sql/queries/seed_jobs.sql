-- Ids of jobs of kinds $1 in the order they run, those that are over last; at most $2 of each sort.
select k.id from bellhand.jobs_of_kinds($1, $2) k
