-- What of the tour of `bellhand dev` has been seen to happen since $1, a column an objective; $2 are the kinds that do not come along. Asked once a second
-- of a database for development alone. Who watches is seen by a session of the command line that lasts, other than this one.
select
  exists (select from bellhand.all_jobs a where a.created_at > $1::timestamptz and a.source in ('cli', 'sql', 'http') and a.owner is distinct from 'demo'
    and a.kind !~ '^sites\.') as queued,
  exists (select from pg_stat_activity s where s.datname = current_database() and s.application_name = 'bellhand:cli' and s.pid <> pg_backend_pid()
    and s.backend_start < clock_timestamp() - interval '2 s') as watched,
  exists (select from bellhand.events e where e.at > $1 and e.type in ('cancelled', 'cancel_asked')) as cancelled,
  exists (select from bellhand.events e where e.at > $1 and e.type = 'retried') as retried,
  exists (select from bellhand.history h where h.finished_at > $1 and h.crashes > 0 and h.state = 'completed') as survived,
  exists (select from bellhand.history h where h.finished_at > $1 and h.state = 'completed' and h.kind = any ($2::text[])) as written
