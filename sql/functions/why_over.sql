-- Why a job that is over ended as it did: what it said, which steps failed, who else failed so.
create or replace function bellhand.why_over(p_job bellhand.all_jobs) returns table (gate text, detail text, fix text) language plpgsql stable as $$
begin
  return query select p_job.state, coalesce(right(p_job.error, 500), 'It is over since ' || bellhand.utc_words(p_job.finished_at)),
    case when p_job.state <> 'completed' or p_job.partial then format('bellhand retry %s', p_job.id) end;
  return query select 'step_failed'::text, format('Step %s failed: %s', to_json(s.name), coalesce(bellhand.error_line(s.error), 'without a word')),
      format('bellhand retry %s', p_job.id)
    from bellhand.steps s where s.job = p_job.id and s.state = 'failed' and (p_job.state <> 'completed' or p_job.partial) order by s.position limit 3;
  return query select 'failure'::text, format('%s jobs of %s ended so since %s, the last at %s.', f.jobs, f.kind, bellhand.utc_words(f.first_at), bellhand.utc_words(f.last_at)),
      format('bellhand failures %s', f.fingerprint)
    from bellhand.failure_jobs x join bellhand.failures f on f.fingerprint = x.fingerprint
    where x.job = p_job.id and x.finished_at = p_job.finished_at and f.jobs > 1;
end $$;
