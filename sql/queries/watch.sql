-- One look for everybody who watches: what the log gained since cursor ($1, $2, $3, $4) as JSON, at most $7 rows, and which of jobs
-- $5 have another version than in $6. A version changes whenever what there is to tell of a job does: another row version,
-- another claim, its time has come, it is over. Reads the log by transaction and jobs by id only.
with cursor as materialized (
  select coalesce($1::text, pg_current_snapshot()::text)::pg_snapshot as before, coalesce($2::text, pg_current_snapshot()::text)::pg_snapshot as until),
gained as (
  select json_agg(json_build_object('xid', e.xid::text, 'event', bellhand.event_json(e.seq)) order by e.xid, e.seq)::text as log
  from cursor c cross join lateral bellhand.events_since(c.before, c.until, $3::text::xid8, $4, $7) e),
asked as materialized (
  select a.id, a.version from unnest($5::bigint[], $6::text[]) a(id, version)),
held as materialized (
  select r.id, r.epoch, r.worker from bellhand.running r where r.id = any ($5)),
live as materialized (
  select j.id, concat_ws('.', 'l', j.epoch, j.xmin, (j.run_at <= bellhand.now())::integer, left(h.worker::text, 8)) as version
  from bellhand.jobs j left join held h on h.id = j.id and h.epoch = j.epoch where j.id = any ($5)),
over as materialized (
  select distinct on (h.id) h.id, concat_ws('.', 'h', h.epoch, (extract(epoch from h.finished_at) * 1000000)::bigint) as version
  from bellhand.history h where h.id = any (array(select a.id from asked a where a.id not in (select l.id from live l)))
  order by h.id, h.finished_at desc),
changed as (
  select array_agg(n.id order by n.id) as ids, array_agg(n.version order by n.id) as versions
  from (select * from live union all select * from over) n join asked a on a.id = n.id where n.version is distinct from a.version)
select c.until::text as until, g.log, n.ids, n.versions from cursor c, gained g, changed n
