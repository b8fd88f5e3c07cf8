-- The next $4 items of project $1 on side $2 beyond id $3.
select i.id, i.sku, i.title, i.brand, i.price::float8 as price, left(i.description, 2000) as description, i.attributes::text as attributes
from bellhand_matching.items i where i.project_id = $1 and i.side = $2 and i.id > $3
order by i.id limit $4
