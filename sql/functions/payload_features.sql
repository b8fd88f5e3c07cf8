-- What can be said of a job's payload and circumstances, one row a fact: `what` is where (payload.url, owner, worker), `value` what
-- stands there, `number` the same where it is one. Two levels deep, 100 facts; long texts and lists count by their length.
create or replace function bellhand.payload_features(p_payload jsonb) returns table (what text, value text, number float8)
language sql immutable parallel safe as $$
  with one as (
    select 'payload.' || e.key as what, e.value as v from jsonb_each(case when jsonb_typeof(p_payload) = 'object' then p_payload else '{}' end) e limit 50),
  two as (
    select o.what || '.' || e.key as what, e.value as v from one o cross join lateral jsonb_each(case when jsonb_typeof(o.v) = 'object' then o.v else '{}' end) e limit 50),
  facts as (select * from one union all select * from two)
  select f.what, case jsonb_typeof(f.v) when 'object' then 'an object' when 'array' then null else nullif(left(f.v #>> '{}', 81), '') end,
    case when jsonb_typeof(f.v) = 'number' and length(f.v #>> '{}') < 300 then (f.v #>> '{}')::float8 end from facts f
    where jsonb_typeof(f.v) not in ('array') and length(f.v #>> '{}') <= 80
  union all
  select 'length of ' || f.what, null, case jsonb_typeof(f.v) when 'array' then jsonb_array_length(f.v) else length(f.v #>> '{}') end
    from facts f where jsonb_typeof(f.v) in ('array', 'string')
  union all
  select 'host of ' || f.what, (regexp_match(f.v #>> '{}', '^[a-z]+://(?:[^/@]*@)?([^/:?#]+)'))[1], null from facts f
    where jsonb_typeof(f.v) = 'string' and f.v #>> '{}' ~ '^[a-z]+://[^/]'
$$;
