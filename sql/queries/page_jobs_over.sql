-- A page of $1 jobs that are over, of which at most $2 are looked at, by the index that $13 names: `any` the newest ids, before $3;
-- `kind` those of kind $5 that ended last, `trouble` those that went wrong last, both before ($14, $3). Of states $4 (`partial` is one
-- here), kind $5, lane $6, owner $7; ended within $8 seconds, having run for $9; words $10 in payload or error; paths $11 hold $12.
-- Payloads, and what is hidden of errors, are searched for words where $15.
with looked as (
  (select h.* from bellhand.history h where $13::text = 'any' and ($3::bigint is null or h.id < $3) order by h.id desc limit $2)
  union all
  (select h.* from bellhand.history h where $13 = 'kind' and h.kind = $5 and ($14::timestamptz is null or (h.finished_at, h.id) < ($14, $3))
    order by h.finished_at desc, h.id desc limit $2)
  union all
  (select h.* from bellhand.history h where $13 = 'trouble' and (h.state <> 'completed' or h.partial) and ($14::timestamptz is null or (h.finished_at, h.id) < ($14, $3))
    order by h.finished_at desc, h.id desc limit $2)),
wanted as materialized (
  select split_part(u.path, '.', 1) as place, (string_to_array(u.path, '.'))[2:] as path, u.value from unnest($11::text[], $12::text[]) u(path, value)),
judged as materialized (
  select h.id, h.finished_at, case when h.partial then 'partial' else h.state end = any ($4::text[])
    and ($5::text is null or h.kind = $5) and ($7::text is null or h.owner = $7)
    and ($6::text is null or h.kind in (select k.name from bellhand.kinds k join bellhand.lanes l on l.id = k.lane where l.name = $6))
    and ($8::float8 is null or h.finished_at >= bellhand.now() - make_interval(secs => $8))
    and ($9::float8 is null or h.finished_at - h.started_at >= make_interval(secs => $9))
    and case when $10::text is null then true when $15::boolean then strpos(lower(coalesce(h.error, '') || h.payload::text), lower($10)) > 0 else bellhand.says(h.error, $10) end
    and (cardinality($11::text[]) = 0 or not exists (select from wanted w
      where case w.place when 'payload' then h.payload when 'tag' then h.tags end #>> w.path is distinct from w.value)) as fits
  from looked h),
found as (
  select j.id, j.finished_at, row_number() over (order by case when $13 = 'any' then null else j.finished_at end desc, j.id desc) as place
  from judged j where j.fits order by place limit $1)
select array(select f.id from found f order by f.place) as ids, array(select f.finished_at from found f order by f.place) as ends,
  (select count(*) from judged) as looked_at, -- Of the last one looked at: many end in one moment, so the least of all ids would pass some by.
  (select j.id from judged j order by case when $13 = 'any' then null else j.finished_at end, j.id limit 1) as last_id, (select min(j.finished_at) from judged j) as last_at
