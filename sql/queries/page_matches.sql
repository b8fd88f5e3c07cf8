-- Matches of project $1 with status $2, those with ids above $3, $4 of them, each with both items.
select m.id, m.confidence, m.method, m.status, m.evidence::text as evidence, m.reviewed_by, m.reviewed_at,
  s.title as source_title, s.sku as source_sku, s.brand as source_brand, s.price as source_price,
  t.title as target_title, t.sku as target_sku, t.brand as target_brand, t.price as target_price
from (select * from bellhand_matching.matches x where x.project_id = $1 and x.status = $2 and x.id > $3 order by x.id limit $4) m
join bellhand_matching.items s on s.id = m.source_id join bellhand_matching.items t on t.id = m.target_id order by m.id
