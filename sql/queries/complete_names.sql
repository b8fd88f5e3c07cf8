-- Names of sort $1 as completion offers them, at most $2, each with what it is; all of these tables are small.
select n.name, n.note from (
  select k.name, k.summary as note, null::timestamptz as at from bellhand.kinds k where $1 = 'kinds'
  union all select l.name, l.paused_reason, null from bellhand.lanes l where $1 = 'lanes'
  union all select s.name, s.cron || ' ' || s.kind, null from bellhand.schedules s where $1 = 'schedules'
  union all select w.name, w.host || case when w.draining then ', drained' else '' end, null from bellhand.workers w where $1 = 'workers'
  union all select c.name, c.kind, null from bellhand.channels c where $1 = 'channels'
  union all select f.fingerprint, f.kind || ': ' || f.message, f.last_at from bellhand.failures f where $1 = 'failures') n
order by n.at desc nulls last, n.name limit $2::integer
