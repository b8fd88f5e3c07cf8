-- The $4 jobs to set beside job $1 of kind $2: of the 50 of its kind that ended last those with its payload $3 first, then the newest;
-- in each row how long runs of the kind take, as it was measured from a sample.
with recent as (
  select h.id, h.key, h.state, h.partial, h.owner, h.attempts, h.error, h.started_at, h.finished_at, h.payload = $3::jsonb as same_payload
  from bellhand.history h where h.kind = $2 and h.finished_at <= bellhand.now() order by h.finished_at desc limit 50)
select m.samples, m.quantiles, m.since, r.* from (select) one
  left join bellhand.run_times m on m.kind = $2 and m.step = ''
  left join lateral (select * from recent x where x.id <> $1 order by x.same_payload desc, x.finished_at desc limit $4) r on true
