-- What happened to job $1 and who did it, the latest $2 in order.
select e.at, e.type, e.actor, e.data::text as data
from (select * from bellhand.events x where x.job = $1 order by x.seq desc limit $2) e order by e.seq
