-- The newest projects of matching, each with its last run.
select p.id, coalesce(p.name, p.id) as name, r.stage_name, r.matches_found, r.processed_items, r.total_items, r.job_id, r.finished_at, p.created_at
from (select * from bellhand_matching.projects x order by x.created_at desc limit $1) p
left join lateral (select * from bellhand_matching.runs y where y.project_id = p.id order by y.id desc limit 1) r on true
order by p.created_at desc
