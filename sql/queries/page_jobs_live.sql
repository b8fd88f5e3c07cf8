-- A page of $1 jobs that are not over: those that run first, found by their leases, then the newest that wait; of those that run (where
-- $13) or that wait, only what has an id below $3, if given. At most $2 that wait are looked at. Of states $4, kind $5, lane $6, owner $7; made within $8 seconds, running for $9 seconds; with words $10
-- in payload or error; and where the paths $11 (payload.a.b, tag.x) hold the values $12.
-- Payloads, and what is hidden of errors, are searched for words where $14.
with looked as (
  select j.id, true as runs, 'running' as state, r.claimed_at, j.kind, j.owner, j.tags, j.payload, j.error, j.created_at
  from bellhand.running r join bellhand.jobs j on j.id = r.id and j.epoch = r.epoch
  where $13::boolean and ($3::bigint is null or j.id < $3) and 'running' = any ($4::text[])
  union all
  select j.id, false, bellhand.live_state(j.state, false, j.attempts, j.snoozed, j.run_at), null, j.kind, j.owner, j.tags, j.payload, j.error, j.created_at
  from (select * from bellhand.jobs x where ($13 or $3::bigint is null or x.id < $3) and $4::text[] && array['pending', 'scheduled', 'retrying', 'blocked', 'paused']
    order by x.id desc limit $2) j
  where not exists (select from bellhand.running r where r.id = j.id and r.epoch = j.epoch)),
wanted as materialized (
  select split_part(u.path, '.', 1) as place, (string_to_array(u.path, '.'))[2:] as path, u.value from unnest($11::text[], $12::text[]) u(path, value)),
judged as materialized (
  select j.id, j.runs, j.state = any ($4) and ($5::text is null or j.kind = $5) and ($7::text is null or j.owner = $7)
    and ($6::text is null or j.kind in (select k.name from bellhand.kinds k join bellhand.lanes l on l.id = k.lane where l.name = $6))
    and ($8::float8 is null or j.created_at >= bellhand.now() - make_interval(secs => $8))
    and ($9::float8 is null or j.claimed_at <= bellhand.now() - make_interval(secs => $9))
    and case when $10::text is null then true when $14::boolean then strpos(lower(coalesce(j.error, '') || j.payload::text), lower($10)) > 0 else bellhand.says(j.error, $10) end
    and (cardinality($11::text[]) = 0 or not exists (select from wanted w
      where case w.place when 'payload' then j.payload when 'tag' then j.tags end #>> w.path is distinct from w.value)) as fits
  from looked j),
found as (select j.id, j.runs from judged j where j.fits order by j.runs desc, j.id desc limit $1)
select array(select f.id from found f order by f.runs desc, f.id desc) as ids, array(select f.runs from found f order by f.runs desc, f.id desc) as runs,
  (select count(*) from judged j where not j.runs) as looked_at, (select min(j.id) from judged j where not j.runs) as last_id
