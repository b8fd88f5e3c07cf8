-- Enqueues the checks $4 of at most $2 businesses not looked at for $1 days, with priority $3.
select bellhand_sites.enqueue_stale(make_interval(secs => $1::float8 * 86400), $2, $3, $4) as enqueued
