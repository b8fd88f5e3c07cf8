-- How far the logs of jobs $1 have come, as something to compare; over: the job ended two seconds ago, so that its last lines are there.
select i.id, concat_ws('.', l.epoch, l.last, case when j.id is not null then 'live' end) as version,
  j.id is null and coalesce(h.finished_at < bellhand.now() - interval '2 seconds', true) as over
from unnest($1::bigint[]) i(id)
left join bellhand.jobs j on j.id = i.id
left join lateral (
  select c.epoch, c.last from bellhand.job_lines c where c.job = i.id order by c.epoch desc, c.first desc limit 1) l on true
left join lateral (select max(x.finished_at) as finished_at from bellhand.history x where x.id = i.id) h on true
