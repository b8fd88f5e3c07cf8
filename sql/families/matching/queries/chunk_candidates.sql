-- The $4 best candidates of each undecided item in chunk $3 of stage $2 in run $1, best first, without those that were rejected or are taken.
select b.source_id, i.id, i.sku, i.title, i.brand, i.price::float8 as price, left(i.description, 2000) as description,
  i.attributes::text as attributes, b.confidence
from (
  select c.source_id, c.target_id, c.confidence,
    row_number() over (partition by c.source_id order by c.confidence desc, c.target_id) as place
  from bellhand_matching.run_chunks h
    join bellhand_matching.run_items n on n.run_id = h.run_id and n.item_id = h.item_id
    join bellhand_matching.candidates c on c.run_id = n.run_id and c.source_id = n.item_id
  where h.run_id = $1 and h.stage = $2 and h.chunk = $3 and n.state = 'waiting' and n.stage < $2
    and not exists (select from bellhand_matching.matches m where m.source_id = c.source_id and m.target_id = c.target_id)
    and not exists (
      select from bellhand_matching.matches m where m.target_id = c.target_id and m.exclusive and m.status <> 'rejected')) b
  join bellhand_matching.items i on i.id = b.target_id
where b.place <= $4
order by b.source_id, b.place
