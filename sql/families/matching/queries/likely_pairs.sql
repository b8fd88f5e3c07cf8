-- Candidates of run $1 with at least confidence $2 whose item still waits, neither rejected nor with a target that is taken.
select c.source_id, c.target_id, c.confidence
from bellhand_matching.candidates c
  join bellhand_matching.run_items n on n.run_id = c.run_id and n.item_id = c.source_id and n.state = 'waiting'
where c.run_id = $1 and c.confidence >= $2
  and not exists (select from bellhand_matching.matches m where m.source_id = c.source_id and m.target_id = c.target_id)
  and not exists (
    select from bellhand_matching.matches m where m.target_id = c.target_id and m.exclusive and m.status <> 'rejected')
order by c.source_id, c.target_id
