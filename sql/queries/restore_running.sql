-- The jobs that ran when the database was backed up, by its leases, with what they had behind them; the first $1 by number.
select j.id, j.kind, (select k.side_effects from bellhand.kinds k where k.name = j.kind) as side_effects, w.name as worker, l.claimed_at, j.attempts,
  (select count(*) from bellhand.steps s where s.job = j.id and s.state = 'completed') as steps_done,
  (select s.name from bellhand.steps s where s.job = j.id and s.state = 'running' order by s.position limit 1) as step
from bellhand.leases l cross join lateral unnest(l.ids, l.epochs) u(id, epoch)
  join bellhand.jobs j on j.id = u.id and j.epoch = u.epoch left join bellhand.workers w on w.id = l.worker
order by j.id limit $1
