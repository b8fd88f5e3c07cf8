-- What runs, for whoever wants to stop daemons: how long each job may still take by its timeout (null: no limit) and since when it has written
-- nothing down, which is what would run again if it were cut now. Of the workers on host $1 (null: all) and of worker $2 (null: all).
select w.name as worker, w.host, j.id, j.kind, extract(epoch from bellhand.now() - r.claimed_at)::float8 as running_seconds,
  greatest(0, coalesce(j.timeout_seconds, k.timeout_seconds) - extract(epoch from bellhand.now() - r.claimed_at))::float8 as left_seconds,
  extract(epoch from bellhand.now() - greatest(r.claimed_at, s.last_at))::float8 as repeated_seconds, coalesce(s.steps, 0) as steps
from bellhand.running r join bellhand.jobs j on j.id = r.id and j.epoch = r.epoch join bellhand.kinds k on k.name = j.kind
  join bellhand.workers w on w.id = r.worker
  left join lateral (select max(x.finished_at) as last_at, count(*) as steps from bellhand.steps x where x.job = r.id) s on true
where ($1::text is null or w.host = $1) and ($2::uuid is null or w.id = $2)
order by w.name, repeated_seconds desc
