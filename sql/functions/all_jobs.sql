-- Every job, live or over, with its state as people name it: the stable view, for reading by anybody.
create or replace view bellhand.all_jobs as
  select j.id, j.key, j.kind, l.name as lane, j.payload, j.priority, j.run_at, coalesce(j.attempts_max, k.attempts_max) as attempts_max,
    coalesce(j.timeout_seconds, k.timeout_seconds) as timeout_seconds, j.unique_key, j.owner, j.tags, j.depends_on, j.source, j.created_at,
    bellhand.live_state(j.state, r.id is not null, j.attempts, j.snoozed, j.run_at) as state,
    false as partial, j.stop, j.epoch, j.attempts, j.crashes, r.worker, coalesce(r.claimed_at, j.started_at) as started_at,
    null::timestamptz as finished_at,
    j.progress, null::jsonb as result, j.error
  from bellhand.jobs j left join bellhand.running r on r.id = j.id and r.epoch = j.epoch and j.state = 'pending'
    left join bellhand.kinds k on k.name = j.kind left join bellhand.lanes l on l.id = k.lane
  union all
  select h.id, h.key, h.kind, l.name, h.payload, h.priority, h.run_at, coalesce(h.attempts_max, k.attempts_max),
    coalesce(h.timeout_seconds, k.timeout_seconds), h.unique_key, h.owner, h.tags, h.depends_on, h.source, h.created_at,
    h.state, h.partial, null, h.epoch, h.attempts, h.crashes, h.worker, h.started_at, h.finished_at, h.progress, h.result, h.error
  from bellhand.history h left join bellhand.kinds k on k.name = h.kind left join bellhand.lanes l on l.id = k.lane;
select bellhand.allow(who, 'select on bellhand.all_jobs') from unnest(array['reader', 'worker']) who;
