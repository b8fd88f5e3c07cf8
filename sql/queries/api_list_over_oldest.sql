-- Ids above $1 of jobs that are over, oldest first: in states $8 (`partial` is one here); the rest as in api_list_live.sql. Inside of each: $11, see holds.sql.
with walked as materialized (
  select h.id, h.kind, h.owner, h.tags, h.error, case when $11::jsonb is not null then h.payload end as payload, h.created_at, h.state, h.partial
  from bellhand.history h where h.id > $1 order by h.id limit $10),
found as (
  select j.id from walked j where case when j.partial then 'partial' else j.state end = any ($8::text[])
  and ($2::text[] is null or j.kind = any ($2)) and ($3::text is null or j.owner = $3) and ($4::jsonb is null or j.tags @> $4)
  and ($5::text is null or position(lower($5) in lower(j.error)) > 0)
  and ($11::jsonb is null or bellhand.holds(j.payload, j.error, $11))
  and ($6::timestamptz is null or j.created_at >= $6) and ($7::timestamptz is null or j.created_at < $7)
  order by j.id limit $9)
select array(select f.id from found f order by f.id) as ids, null::timestamptz[] as ended, (select max(w.id) from walked w) as reached,
  null::timestamptz as reached_at, (select count(*) from walked w) >= $10 as more
