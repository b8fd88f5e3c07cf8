-- How jobs $1 stand, in as few words as tell one moment from the next: each write to the row, a lease, a time that has come, the end.
select j.id, concat_ws(' ', j.xmin::text, case when r.id is not null then 'running' end, case when j.run_at > bellhand.now() then 'later' end) as version,
  false as over
from bellhand.jobs j left join bellhand.running r on r.id = j.id and r.epoch = j.epoch and j.state = 'pending' where j.id = any ($1)
union all
select h.id, 'over ' || h.finished_at, true from bellhand.history h where h.id = any ($1)
