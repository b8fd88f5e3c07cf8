-- Saves the progress of many running jobs at once, fenced by (id, epoch); progress of a lost job goes nowhere, and so does
-- a look that is older than what a step has written meanwhile.
update bellhand.jobs j set progress = u.progress::jsonb
from unnest($1::bigint[], $2::integer[], $3::text[]) u(id, epoch, progress)
where j.id = any ($1) and j.id = u.id and j.epoch = u.epoch
  and (u.progress::jsonb ->> 'steps_done')::integer + (u.progress::jsonb ->> 'steps_failed')::integer
    < (j.progress ->> 'steps_done')::integer + (j.progress ->> 'steps_failed')::integer is not true
