-- Sends $2 over channel $1, unless the server's queue of notifications is fuller than $3 (of 1); `full` says whether it is.
-- Asking also frees what nobody reads any more: after a full queue no NOTIFY would succeed otherwise.
select q.full, case when not q.full then pg_notify($1::text, $2::text)::text end as sent
from (select pg_notification_queue_usage() >= $3::float8 as full) q
