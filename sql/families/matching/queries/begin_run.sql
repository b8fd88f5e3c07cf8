-- Begins the run of job $2 with key $3 over project $1, or takes it over with the higher epoch $4; no row if it has a higher one.
select * from bellhand_matching.begin_run($1, $2, $3, $4, $5, $6)
