-- $10 lines of what job $1 logged, oldest first, and one more if there are more: at least as serious as $2, of step $3, of attempt $4, since
-- $5, with words $6, behind line $8 of epoch $7; the newest instead of the oldest where $9.
select l.epoch, l.number, l.attempt, l.at, l.level, l.step, l.message, l.fields::text as fields
from (select x.* from bellhand.job_log($1, $2, $3, $4, $5, $6, $7, $8) x
  order by case when $9::boolean then -x.epoch else x.epoch end, case when $9 then -x.number else x.number end limit $10 + 1) l
order by l.epoch, l.number
