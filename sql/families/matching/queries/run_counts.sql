-- How many items of run $1 fared how, now that it ends: matches by method, and the items that are unmatched, failed or in the way.
select coalesce(m.method, n.side || ' ' || case n.state when 'waiting' then 'unmatched' else n.state end) as how, count(*) as items
from bellhand_matching.run_items n
  left join bellhand_matching.matches m on m.source_id = n.item_id and m.run_id = $1 and n.state = 'matched'
where n.run_id = $1 group by 1
