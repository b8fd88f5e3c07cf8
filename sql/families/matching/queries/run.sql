-- The run $1 as it is counted now.
select r.*, (select count(*) from bellhand_matching.run_items n where n.run_id = r.id and n.side = 'source' and n.state = 'waiting') as waiting
from bellhand_matching.runs r where r.id = $1
