-- What the page of job $1, of kind $2, shows besides the job: steps, what happened to it and who did it, the gates it waits at, its place
-- in the queue, what it waits for and what waits for it, and how long its kind takes: in the last hour, and as measured from a sample.
-- Each part is found by an index and bounded.
select
  (select jsonb_agg(to_jsonb(s) order by s.position) from (
    select x.name, x.position, x.state, x.attempts, left(x.result::text, 300) as result, x.counters, x.error, x.started_at, x.finished_at
    from bellhand.steps x where x.job = $1 order by x.position limit 300) s)::text as steps,
  (select jsonb_agg(jsonb_build_object('at', e.at, 'type', e.type, 'actor', e.actor, 'data', e.data) order by e.seq desc) from (
    select * from bellhand.events x where x.job = $1 order by x.seq desc limit 100) e)::text as events,
  (select jsonb_agg(to_jsonb(w)) from bellhand.why($1) w)::text as why,
  (select bellhand.ahead(q.id) from bellhand.queue q where q.id = $1) as ahead, exists (select from bellhand.queue q where q.id = $1) as queued,
  (select x.xmin::text from bellhand.jobs x where x.id = $1) as version,
  array(select d.parent from bellhand.dependencies d where d.child = $1 order by d.parent limit 20) as parents,
  array(select d.child from bellhand.dependencies d where d.parent = $1 order by d.child limit 20) as children,
  (select jsonb_build_object('jobs', sum(s.jobs), 'run_seconds', sum(s.run_seconds), 'failed', sum(s.jobs) filter (where s.outcome = 'fail'))
   from bellhand.stats s where s.minute > bellhand.now() - interval '1 hour' and s.kind = $2)::text as typical,
  (select jsonb_build_object('samples', r.samples, 'quantiles', r.quantiles, 'since', r.since)
   from bellhand.run_times r where r.kind = $2 and r.step = '')::text as alike
