-- The jobs that are not over, by kind: how many ran at the backup, how many others had begun before, how many would start at once, wait for their time, for others, or for somebody.
with leased as (select u.id, u.epoch from bellhand.leases l cross join lateral unnest(l.ids, l.epochs) u(id, epoch)),
  seen as (select j.kind, j.created_at, l.id is not null as running, j.attempts > 0 or j.started_at is not null as begun, j.state, j.run_at <= bellhand.now() as due
    from bellhand.jobs j left join leased l on l.id = j.id and l.epoch = j.epoch)
select s.kind, coalesce(k.paused, false) as paused, k.side_effects, count(*) filter (where s.running) as running, count(*) filter (where s.begun and not s.running) as begun,
  count(*) filter (where s.state = 'pending' and s.due and not s.running) as due, count(*) filter (where s.state = 'pending' and not s.due) as scheduled,
  count(*) filter (where s.state = 'blocked') as blocked, count(*) filter (where s.state = 'paused') as held, min(s.created_at) as oldest, max(s.created_at) as newest
from seen s left join bellhand.kinds k on k.name = s.kind group by s.kind, k.paused, k.side_effects order by s.kind
