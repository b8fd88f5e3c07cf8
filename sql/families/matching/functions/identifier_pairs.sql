-- Pairs of a run's waiting items and the catalogue that share an identifier which nobody else of their side has: a sku or mpn as it
-- is written or without its punctuation, or a gtin, upc, ean or isbn. Shorter than four characters says nothing. One grouping
-- of both sides finds them: a join of the two would be planned for a handful of rows and compare each with each.
create or replace function bellhand_matching.identifier_pairs(p_run bigint)
returns table (source bigint, target bigint, confidence float8, evidence jsonb)
language sql stable set search_path = pg_catalog, pg_temp as $$
  with own as (
    select i.id, i.side, f.name, f.value,
      case when f.name in ('gtin', 'upc', 'ean') then 'gtin' when f.name in ('sku', 'mpn') then 'number' else f.name end as kind,
      case when f.name in ('gtin', 'upc', 'ean') then ltrim(regexp_replace(f.value, '[^0-9]', '', 'g'), '0')
           else lower(regexp_replace(f.value, '[^[:alnum:]]', '', 'g')) end as code
    from bellhand_matching.runs r
      join bellhand_matching.items i on i.project_id = r.project_id
      left join bellhand_matching.run_items n on n.run_id = r.id and n.item_id = i.id
      cross join lateral (
        select 'sku', i.sku
        union all
        select lower(a.key), a.value from jsonb_each_text(i.attributes) a
          where lower(a.key) in ('gtin', 'upc', 'ean', 'isbn', 'mpn')) f(name, value)
    where r.id = p_run and f.value is not null and n.state is distinct from 'failed'),
  shared as (
    select o.kind, o.code,
      min(o.id) filter (where o.side = 'source') as source, min(o.id) filter (where o.side = 'catalogue') as target,
      min(o.name) filter (where o.side = 'source') as name,
      min(o.value) filter (where o.side = 'source') as said, min(o.value) filter (where o.side = 'catalogue') as found
    from own o where char_length(o.code) >= 4
    group by o.kind, o.code
    having count(distinct o.id) filter (where o.side = 'source') = 1
      and count(distinct o.id) filter (where o.side = 'catalogue') = 1)
  select distinct on (s.source) s.source, s.target, case when s.kind <> 'number' or s.said = s.found then 1.0 else 0.98 end::float8,
    jsonb_build_object('identifier', s.name, 'source', s.said, 'target', s.found)
  from shared s
    join bellhand_matching.run_items n on n.run_id = p_run and n.item_id = s.source and n.state = 'waiting'
  order by s.source, 3 desc, s.target
$$;
revoke execute on function bellhand_matching.identifier_pairs from public;
select bellhand.allow('worker', 'execute on function bellhand_matching.identifier_pairs');
