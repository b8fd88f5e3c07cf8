-- What people said about pairs of project $1: the ids, and whether they are the same item.
select m.source_id, m.target_id, m.status <> 'rejected' as same
from bellhand_matching.matches m where m.project_id = $1 and m.reviewed_at is not null
order by m.id
