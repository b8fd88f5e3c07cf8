-- What the page of kind $1 shows besides its policy: how long its runs and steps take, as measured; how its newest 1,000 jobs that are over ended, by the
-- code that ran them; how many of the newest 1,000 jobs that are not over have a payload that its schema takes no longer; and
-- what it used of outside services in the last seven days.
select
  (select jsonb_agg(jsonb_build_object('step', r.step, 'samples', r.samples, 'half', r.p50_seconds, 'most', r.p95_seconds) order by r.step in ('', '*') desc, r.step)
    from (select * from bellhand.stages x where x.kind = $1 order by x.step limit 50) r)::text as times,
  (select jsonb_agg(jsonb_build_object('version', c.version, 'code', c.code, 'jobs', c.jobs, 'failed', c.failed, 'last_at', c.last_at) order by c.last_at desc) from (
    select coalesce(w.version, s.version) as version, coalesce(w.code, s.code) as code, count(*) as jobs, count(*) filter (where h.state = 'failed') as failed, max(h.finished_at) as last_at
    from (select y.worker, y.state, y.finished_at from bellhand.history y where y.kind = $1 and y.worker is not null and y.state <> 'cancelled' order by y.finished_at desc limit 1000) h
      left join bellhand.workers w on w.id = h.worker left join bellhand.workers_seen s on s.id = h.worker
    where coalesce(w.version, s.version) is not null group by 1, 2 order by 5 desc limit 10) c)::text as codes,
  (select count(*) from (select j.payload from (select x.kind, x.payload from bellhand.jobs x order by x.id desc limit 1000) j where j.kind = $1) j
    cross join bellhand.kinds k where k.name = $1 and k.checks is not null and bellhand.payload_problem(j.payload, k.checks) is not null) as unfit,
  (select jsonb_agg(to_jsonb(u)) from bellhand.usage_recent u where u.kind = $1)::text as usage
