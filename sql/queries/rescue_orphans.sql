-- Takes back leases without a worker, failing jobs that crashed $1 times.
select bellhand.rescue_orphans($1)
