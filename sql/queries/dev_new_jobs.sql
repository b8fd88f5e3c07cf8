-- The newest jobs with an id above $1, at most $2, whether they are over or not.
select n.id from (
  (select j.id from bellhand.jobs j where j.id > $1 order by j.id desc limit $2)
  union all
  (select h.id from bellhand.history h where h.id > $1 order by h.id desc limit $2)) n
order by n.id desc limit $2
