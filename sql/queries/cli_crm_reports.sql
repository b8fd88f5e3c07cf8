-- Jobs whose reports are kept, the newest first, with the formats of each.
select r.job_id as job, max(r.created_at) as created_at, sum(r.body_bytes)::bigint as body_bytes, array_agg(r.format order by r.format) as formats,
  bellhand.now() as now
from bellhand_crm.reports r group by r.job_id order by max(r.id) desc limit $1
