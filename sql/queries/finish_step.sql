-- Writes down how a step of job $1 at epoch $2 ended, together with the job's progress. Fenced: the update of the job's
-- row takes its lock and finds nothing when the job was placed anew, or when worker $12 has lost the lease $13.
with mine as (
  update bellhand.jobs set progress = $10::text::jsonb where id = $1 and epoch = $2
    and exists (select from bellhand.leases l where l.id = $13 and l.worker = $12) returning id)
insert into bellhand.steps as old (job, name, position, state, result, counters, error, for_good, started_at, finished_at)
  select mine.id, $3, $4, $5, $6::text::jsonb, $7::text::jsonb, $8, $9, bellhand.now() - make_interval(secs => $11), bellhand.now() from mine
  on conflict (job, name) do update set state = excluded.state, attempts = old.attempts + 1, result = excluded.result,
    counters = excluded.counters, error = excluded.error, for_good = excluded.for_good, started_at = excluded.started_at,
    finished_at = excluded.finished_at
  returning job
