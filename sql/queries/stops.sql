-- Which of the jobs $2 at epochs $3 under leases $4 worker $1 must stop.
select id, epoch, stop from bellhand.stops($1, $2, $3, $4)
