-- Ids above $1 of jobs that are not over, oldest first: in states $8 as all_jobs names them, the rest as in api_list_running.sql; $9 of
-- them at the most. Walks no more than $10 jobs by the primary key, so that a filter that fits nothing costs no more than one that
-- fits; `more` says that the walk ended there, and `reached` where to go on. Inside of each: $11, see holds.sql.
with walked as materialized (
  select j.id, j.kind, j.owner, j.tags, j.error, case when $11::jsonb is not null then j.payload end as payload, j.created_at, j.state, j.run_at, j.attempts, j.snoozed, j.epoch
  from bellhand.jobs j where j.id > $1 order by j.id limit $10),
found as (
  select j.id from walked j left join bellhand.running r on r.id = j.id and r.epoch = j.epoch and j.state = 'pending'
  where bellhand.live_state(j.state, r.id is not null, j.attempts, j.snoozed, j.run_at) = any ($8::text[])
  and ($2::text[] is null or j.kind = any ($2)) and ($3::text is null or j.owner = $3) and ($4::jsonb is null or j.tags @> $4)
  and ($5::text is null or position(lower($5) in lower(j.error)) > 0)
  and ($11::jsonb is null or bellhand.holds(j.payload, j.error, $11))
  and ($6::timestamptz is null or j.created_at >= $6) and ($7::timestamptz is null or j.created_at < $7)
  order by j.id limit $9)
select array(select f.id from found f order by f.id) as ids, null::timestamptz[] as ended, (select max(w.id) from walked w) as reached,
  null::timestamptz as reached_at, (select count(*) from walked w) >= $10 as more
