-- Values that stand in the newest jobs and begin with $3, the most frequent first: of what $1 names (owner, error, tag and payload by the path $2), or
-- which keys there are there (tags, payloads). Of 500 jobs that live and 500 that are over, without payloads that are large.
with sample as materialized (
  (select j.owner, j.tags, case when pg_column_size(j.payload) < 20000 then j.payload end as payload, j.error from bellhand.jobs j order by j.id desc limit 500)
  union all
  (select h.owner, h.tags, case when pg_column_size(h.payload) < 20000 then h.payload end, h.error from bellhand.history h order by h.id desc limit 500)),
found as (
  select case $1::text when 'owner' then s.owner when 'error' then case when s.error is not null then bellhand.error_class(s.error) end when 'tag' then s.tags #>> $2::text[]
    when 'payload' then s.payload #>> $2::text[] end as value
  from sample s where $1 in ('owner', 'error', 'tag', 'payload')
  union all
  select k.key from sample s cross join lateral (select case $1 when 'tags' then s.tags when 'payloads' then s.payload #> $2::text[] end as value) v
    cross join lateral jsonb_object_keys(case when jsonb_typeof(v.value) = 'object' then v.value else '{}' end) k(key)
  where $1 in ('tags', 'payloads'))
select f.value, count(*) as jobs from found f
where f.value <> '' and length(f.value) <= 100 and starts_with(lower(f.value), lower($3)) group by 1 order by 2 desc, 1 limit 12
