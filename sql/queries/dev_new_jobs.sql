-- The newest jobs with an id above $1, at most $2, whether they are over or not; canaries left out.
select n.id from (
  (select j.id from bellhand.jobs j where j.id > $1 and j.kind <> 'bellhand.canary' order by j.id desc limit $2)
  union all
  (select h.id from bellhand.history h where h.id > $1 and h.kind <> 'bellhand.canary' order by h.id desc limit $2)) n
order by n.id desc limit $2
