-- Enqueues many jobs ([{kind, payload, unique_key, run_at, priority, attempts_max, timeout_seconds, tags, owner, notify,
-- depends_on, depends_policy}]), all or none, and returns their ids in order; a duplicate of a live unique key returns the existing id.
create or replace function bellhand.enqueue_many(jobs jsonb, source text default 'sql')
returns table (ordinal bigint, id bigint, key uuid, created boolean)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
  if jsonb_typeof(enqueue_many.jobs) is distinct from 'array' then
    raise exception using errcode = 'BH005', message = 'enqueue_many takes a JSON array of jobs',
      hint = 'For example: select * from bellhand.enqueue_many(''[{"kind": "sites.validate", "payload": {}}]'')';
  end if;
  return query
    select j.ordinal, e.id, e.key, e.created
    from jsonb_array_elements(enqueue_many.jobs) with ordinality j(one, ordinal)
    cross join lateral bellhand.enqueue(
      kind => j.one ->> 'kind', payload => coalesce(j.one -> 'payload', '{}'), unique_key => j.one ->> 'unique_key',
      run_at => (j.one ->> 'run_at')::timestamptz, priority => (j.one ->> 'priority')::integer,
      attempts_max => (j.one ->> 'attempts_max')::integer, timeout_seconds => (j.one ->> 'timeout_seconds')::float8,
      tags => nullif(j.one -> 'tags', 'null'), owner => j.one ->> 'owner', notify => nullif(j.one -> 'notify', 'null'),
      depends_on => (select array_agg(p::bigint) from jsonb_array_elements_text(nullif(j.one -> 'depends_on', 'null')) p),
      depends_policy => j.one ->> 'depends_policy', source => enqueue_many.source) e
    order by j.ordinal;
end $$;
revoke execute on function bellhand.enqueue_many from public;
select bellhand.allow(who, 'execute on function bellhand.enqueue_many') from unnest(array['producer', 'worker']) who;
