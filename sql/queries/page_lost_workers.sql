-- Workers that were lost in the last $1 seconds, the latest first, each with what it held and what became of that: it is written down in the
-- transaction that gave the worker up. Of the newest 5,000 rows of the log.
with log as materialized (select * from bellhand.events e order by e.seq desc limit 5000)
select l.at, l.data ->> 'worker' as name, l.data ->> 'host' as host, (l.data ->> 'pid')::integer as pid, (l.data ->> 'jobs')::bigint as jobs,
  coalesce((select jsonb_agg(jsonb_build_object('id', h.job, 'kind', h.kind, 'type', h.type, 'again_at', h.at + make_interval(secs => coalesce((h.data ->> 'wait_seconds')::float8, 0))) order by h.job)
    from (select * from log x where x.xid = l.xid and x.job is not null and x.type in ('crashed', 'released', 'failed') order by x.job limit 20) h), '[]')::text as held
from log l where l.type = 'worker_lost' and l.at > bellhand.now() - make_interval(secs => $1) order by l.seq desc limit 10
