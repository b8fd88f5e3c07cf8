-- What the log gained since cursor ($1, $2, $3, $4), at most $5 rows, as JSON, and until when that is; `lost` when the cursor is
-- older than what is kept of the log, or of another server.
with cursor as materialized (
  select $1::text::pg_snapshot as before, coalesce($2::text, pg_current_snapshot()::text)::pg_snapshot as until)
select c.until::text as until, (
    select json_agg(json_build_object('xid', e.xid::text, 'event', bellhand.event_json(e.seq)) order by e.xid, e.seq)::text
    from bellhand.events_since(c.before, c.until, $3::text::xid8, $4, $5) e) as log,
  bellhand.log_lost(c.before) as lost
from cursor c
