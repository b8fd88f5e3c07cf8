-- What a running job is at: who runs it and since when, its step, whether its worker is silent, when it should be done.
create or replace function bellhand.why_running(p_job bellhand.all_jobs) returns table (gate text, detail text, fix text) language plpgsql stable as $$
declare
  w bellhand.workers; silent float8; step record;
begin
  select * into w from bellhand.workers x where x.id = p_job.worker;
  select p_job.progress ->> 'step' as name, coalesce(max(s.finished_at), p_job.started_at) as since into step
    from bellhand.steps s where s.job = p_job.id and s.finished_at > p_job.started_at;
  return query select 'running'::text, format('%s runs it since %s, attempt %s of %s%s.%s', coalesce(w.name, 'a lost worker'), bellhand.utc_words(p_job.started_at), p_job.attempts + 1,
      coalesce(p_job.attempts_max, 3), case when p_job.stop is not null then '; asked to ' || p_job.stop else '' end, bellhand.eta_words(p_job.id)),
    format('bellhand cancel %s', p_job.id);
  if step.name is not null then
    return query select 'step'::text, format('It is in step %s, for at most %s.', to_json(step.name),
      bellhand.for_people(extract(epoch from bellhand.now() - step.since)::float8)), format('bellhand watch %s', p_job.id);
  end if;
  silent := extract(epoch from bellhand.now() - w.beat);
  if silent > 15 then
    return query select 'worker_silent'::text, format('Its worker has been silent for %s; after a lease the job runs elsewhere.', bellhand.for_people(silent)),
      format('see whether %s still runs on %s (pid %s)', w.name, w.host, w.pid);
  end if;
end $$;
