-- What a payload of leads.collect will take, for bellhand.quote and bellhand.eta: its steps, the seconds of estimate.sql, and how many
-- searches it makes at the most. Services and locations are lists, or text with commas.
create or replace function bellhand_leads.quote(payload jsonb) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
  counts integer[]; e record; searches bigint;
begin
  counts := array(
    select case jsonb_typeof(v) when 'array' then (select count(distinct x) from jsonb_array_elements_text(v) x)
      when 'string' then (select count(distinct btrim(x)) from string_to_table(v #>> '{}', ',') x where btrim(x) <> '') else 0 end
    from unnest(array[payload -> 'services', payload -> 'locations']) with ordinality u(v, n) order by n);
  select * into e from bellhand_leads.estimate(counts[1], counts[2]);
  searches := e.steps::bigint * coalesce((payload ->> 'pages_max')::integer, 3) * case when coalesce(payload ->> 'source', 'both') = 'both' then 2 else 1 end;
  return jsonb_build_object('steps', e.steps, 'seconds', round(e.seconds), 'seconds_max', e.seconds_max, 'measured', e.measured, 'searches_max', searches);
end $$;
