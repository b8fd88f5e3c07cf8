-- Partitions of history and of what jobs logged whose day lies $1 days back, as drop_history would drop them, with Postgres' estimate of
-- their rows and their size in bytes.
select c.relname as name, greatest(c.reltuples, 0)::bigint as rows, pg_total_relation_size(c.oid) as bytes
from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent in ('bellhand.history'::regclass, 'bellhand.job_lines'::regclass) and c.relname ~ '^(history|job_lines)_[0-9]{8}$'
  and to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp at time zone 'UTC' + interval '1 day'
    <= date_trunc('day', bellhand.now(), 'UTC') - $1::integer * interval '1 day'
order by right(c.relname, 8), c.relname
