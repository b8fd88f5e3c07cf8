-- One look for everybody who watches: what the log gained since cursor ($1, $2, $3, $4) as JSON, at most $7 rows (if $8 only
-- those about jobs $5), and which of jobs $5 have another version than in $6. Reads the log by transaction and jobs by id only.
with cursor as materialized (
  select coalesce($1::text, pg_current_snapshot()::text)::pg_snapshot as before, coalesce($2::text, pg_current_snapshot()::text)::pg_snapshot as until),
gained as (
  select json_agg(json_build_object('xid', e.xid::text, 'event', bellhand.event_json(e.seq)) order by e.xid, e.seq)::text as log
  from cursor c cross join lateral bellhand.events_since(c.before, c.until, $3::text::xid8, $4, $7, case when $8 then $5::bigint[] end) e),
changed as (
  select array_agg(n.id order by n.id) as ids, array_agg(n.version order by n.id) as versions
  from bellhand.job_versions($5::bigint[]) n join unnest($5::bigint[], $6::text[]) a(id, version) on a.id = n.id
  where n.version is distinct from a.version)
select c.until::text as until, g.log, n.ids, n.versions from cursor c, gained g, changed n
