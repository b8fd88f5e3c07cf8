-- The workers that have not been given up, with the age of their last beat.
select w.id, w.name, w.host, w.pid, w.version, w.code, w.capacity, w.busy, w.draining, w.drain_asked_at, w.drain_reason, w.lanes, w.started_at,
  extract(epoch from bellhand.now() - w.beat)::float8 as beat_seconds, extract(epoch from bellhand.now() - w.started_at)::float8 as up_seconds
from bellhand.workers w order by w.name, w.started_at
