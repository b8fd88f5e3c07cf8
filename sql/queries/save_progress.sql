-- Saves the progress of many running jobs at once, fenced by (id, epoch); progress of a lost job goes nowhere.
update bellhand.jobs j set progress = u.progress::jsonb
from unnest($1::bigint[], $2::integer[], $3::text[]) u(id, epoch, progress)
where j.id = any ($1) and j.id = u.id and j.epoch = u.epoch and j.state = 'running'
