-- Ids of jobs that went wrong, the first to end first, that ended after $11, or then with an id above $1: by an index of only those;
-- the rest as in api_list_over.sql. `ended` says when each did. Inside of each: $12, see holds.sql.
with walked as materialized (
  select h.id, h.kind, h.owner, h.tags, h.error, case when $12::jsonb is not null then h.payload end as payload, h.created_at, h.state, h.partial, h.finished_at
  from bellhand.history h
  where (h.state <> 'completed' or h.partial) and h.finished_at >= coalesce($11::timestamptz, '-infinity') and ($11 is null or h.finished_at > $11 or h.id > $1)
  order by h.finished_at, h.id limit $10),
found as (
  select j.id, j.finished_at from walked j where case when j.partial then 'partial' else j.state end = any ($8::text[])
  and ($2::text[] is null or j.kind = any ($2)) and ($3::text is null or j.owner = $3) and ($4::jsonb is null or j.tags @> $4)
  and ($5::text is null or position(lower($5) in lower(j.error)) > 0)
  and ($12::jsonb is null or bellhand.holds(j.payload, j.error, $12))
  and ($6::timestamptz is null or j.created_at >= $6) and ($7::timestamptz is null or j.created_at < $7)
  order by j.finished_at, j.id limit $9),
last as (
  select w.id, w.finished_at from walked w order by w.finished_at desc, w.id desc limit 1)
select array(select f.id from found f order by f.finished_at, f.id) as ids,
  array(select f.finished_at from found f order by f.finished_at, f.id) as ended, (select l.id from last l) as reached,
  (select l.finished_at from last l) as reached_at, (select count(*) from walked w) >= $10 as more
