-- The items of chunk $3 of stage $2 in run $1 that this stage has not decided yet.
select i.id, i.sku, i.title, i.brand, i.price::float8 as price, left(i.description, 2000) as description, i.attributes::text as attributes,
  exists (select from bellhand_matching.candidates k where k.run_id = $1 and k.source_id = i.id) as has_candidates
from bellhand_matching.run_chunks c
  join bellhand_matching.run_items n on n.run_id = c.run_id and n.item_id = c.item_id
  join bellhand_matching.items i on i.id = n.item_id
where c.run_id = $1 and c.stage = $2 and c.chunk = $3 and n.state = 'waiting' and n.stage < $2
order by i.id
