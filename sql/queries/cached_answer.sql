-- The answer of service $1 to the question $2, if it is not older than $3 seconds.
select answer from bellhand.service_cache where service = $1 and key = $2 and fetched_at > bellhand.now() - make_interval(secs => $3)
