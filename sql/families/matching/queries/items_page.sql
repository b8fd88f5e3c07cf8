-- The next $4 items of run $1 on side $2 beyond id $3: sources that wait, or the catalogue without those that are in the way.
select i.id, i.sku, i.title, i.brand, i.price::float8 as price, left(i.description, 2000) as description, i.attributes::text as attributes
from bellhand_matching.runs r
  join bellhand_matching.items i on i.project_id = r.project_id and i.side = $2 and i.id > $3
  left join bellhand_matching.run_items n on n.run_id = r.id and n.item_id = i.id
where r.id = $1 and case when $2 = 'source' then n.state = 'waiting' else n.state is distinct from 'failed' end
order by i.id limit $4
