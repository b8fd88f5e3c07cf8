-- What the log gained about job $1 since cursor ($2, $3, $4, $5), at most $6 rows, as JSON, and until when that is; `lost` as in
-- watch_since.sql. Reads the job's own rows.
with cursor as materialized (
  select $2::text::pg_snapshot as before, coalesce($3::text, pg_current_snapshot()::text)::pg_snapshot as until)
select c.until::text as until, (
    select json_agg(json_build_object('xid', e.xid::text, 'event', bellhand.event_json(e.seq)) order by e.xid, e.seq)::text
    from (select x.* from bellhand.events x
          where x.job = $1 and not pg_visible_in_snapshot(x.xid, c.before) and pg_visible_in_snapshot(x.xid, c.until)
            and (x.xid, x.seq) > ($4::text::xid8, $5) order by x.xid, x.seq limit $6) e) as log,
  bellhand.log_lost(c.before) as lost
from cursor c
