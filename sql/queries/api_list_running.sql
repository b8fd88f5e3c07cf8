-- Ids below $1 of running jobs, newest first, found by their leases: of kinds $2, of owner $3, with tags $4, with an error that holds $5,
-- made from $6 until before $7; $8 of them at the most. Columns as in api_list_live.sql. Inside of each: $9, see holds.sql.
with found as (
  select j.id from bellhand.running r join bellhand.jobs j on j.id = r.id and j.epoch = r.epoch and j.state = 'pending'
  where j.id < $1
  and ($2::text[] is null or j.kind = any ($2)) and ($3::text is null or j.owner = $3) and ($4::jsonb is null or j.tags @> $4)
  and ($5::text is null or position(lower($5) in lower(j.error)) > 0)
  and ($9::jsonb is null or bellhand.holds(j.payload, j.error, $9))
  and ($6::timestamptz is null or j.created_at >= $6) and ($7::timestamptz is null or j.created_at < $7)
  order by j.id desc limit $8)
select array(select f.id from found f order by f.id desc) as ids, null::timestamptz[] as ended, null::bigint as reached,
  null::timestamptz as reached_at, false as more
