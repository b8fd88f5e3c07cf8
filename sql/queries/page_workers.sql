-- The workers with what each runs now (at most 50 a worker), from leases; and the versions there are.
select w.id, w.name, w.host, w.pid, w.version, w.code, w.capacity, w.busy, w.draining, w.drain_asked_at, w.drain_reason, w.lanes, cardinality(w.kinds) as kinds, (select md5(string_agg(k, ',' order by k)) from unnest(w.kinds) k) as serves, w.started_at, w.beat,
  extract(epoch from bellhand.now() - w.beat)::float8 as beat_seconds,
  coalesce((select jsonb_agg(jsonb_build_object('id', r.id, 'kind', r.kind, 'since', r.claimed_at) order by r.claimed_at) from (
    select j.id, j.kind, u.claimed_at from bellhand.running u join bellhand.jobs j on j.id = u.id and j.epoch = u.epoch
    where u.worker = w.id order by u.claimed_at limit 50) r), '[]')::text as jobs
from bellhand.workers w order by w.name, w.started_at
