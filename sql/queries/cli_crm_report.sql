-- The report of job $1 in format $2, and which formats there are.
select max(r.id) filter (where r.format = $2) as report, array_agg(r.format order by r.format) as formats
from bellhand_crm.reports r where r.job_id = $1
