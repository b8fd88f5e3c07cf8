-- Pairs of a run's waiting items and the catalogue that share an identifier which nobody else of their side has: a sku as it
-- is written or without its punctuation, or a gtin, upc, ean, isbn or mpn. Shorter than four characters says nothing.
create or replace function bellhand_matching.identifier_pairs(p_run bigint)
returns table (source bigint, target bigint, confidence float8, evidence jsonb)
language sql stable set search_path = pg_catalog, pg_temp as $$
  with own as (
    select i.id, i.side, f.name, f.value, f.rank,
      case when f.name in ('gtin', 'upc', 'ean') then ltrim(regexp_replace(f.value, '[^0-9]', '', 'g'), '0')
           else lower(regexp_replace(f.value, '[^[:alnum:]]', '', 'g')) end as code
    from bellhand_matching.runs r
      join bellhand_matching.items i on i.project_id = r.project_id
      left join bellhand_matching.run_items n on n.run_id = r.id and n.item_id = i.id
      cross join lateral (
        select 'sku', i.sku, 0
        union all
        select lower(a.key), a.value, 1 from jsonb_each_text(i.attributes) a
          where lower(a.key) in ('gtin', 'upc', 'ean', 'isbn', 'mpn')) f(name, value, rank)
    where r.id = p_run and f.value is not null and n.state is distinct from 'failed'),
  kinds as (
    select o.*, case when o.name in ('gtin', 'upc', 'ean') then 'gtin' when o.name in ('sku', 'mpn') then 'number' else o.name end as kind
    from own o where char_length(o.code) >= 4),
  alone as (
    select k.side, k.kind, k.code, min(k.id) as id, min(k.name) as name, min(k.value) as value, min(k.rank) as rank
    from kinds k group by k.side, k.kind, k.code having count(distinct k.id) = 1),
  pairs as (
    select distinct on (s.id) s.id as source, t.id as target,
      case when s.kind <> 'number' or s.value = t.value then 1.0 else 0.98 end::float8 as confidence,
      jsonb_build_object('identifier', s.name, 'source', s.value, 'target', t.value) as evidence
    from alone s join alone t on t.side = 'catalogue' and t.kind = s.kind and t.code = s.code
      join bellhand_matching.run_items n on n.run_id = p_run and n.item_id = s.id and n.state = 'waiting'
    where s.side = 'source'
    order by s.id, confidence desc, s.rank, t.id)
  select * from pairs
$$;
revoke execute on function bellhand_matching.identifier_pairs from public;
select bellhand.allow('worker', 'execute on function bellhand_matching.identifier_pairs');
