-- Deletes a job that is over, with its steps, what it logged, its tickets, its share in groups of failures, and what the log says of it
-- beside who did what; leaves a tombstone. A second purge does nothing. What a family wrote into tables of its own stays. Guards: the
-- lock of its row in history, which a retry takes too. p_reason is kept.
create or replace function bellhand.purge(p_id bigint, p_reason text default null) returns text language plpgsql as $$
declare
  h bellhand.history; alone text[];
begin
  perform bellhand.wrong_state(p_id, a.state, 'purge') from bellhand.all_jobs a where a.id = p_id and a.finished_at is null;
  select x.* into h from bellhand.history x where x.id = p_id order by x.finished_at desc limit 1 for update;
  if not found then
    if exists (select from bellhand.tombstones t where t.job = p_id) then return 'purged'; end if;
    perform bellhand.no_such_job(p_id);
  end if;
  delete from bellhand.history x where x.id = p_id and x.finished_at = h.finished_at;
  delete from bellhand.steps s where s.job = p_id;
  delete from bellhand.job_lines l where l.job = p_id;
  delete from bellhand.tickets t where t.job = p_id;
  delete from bellhand.notices n where n.job = p_id;
  delete from bellhand.operation_jobs o where o.job = p_id;
  delete from bellhand.eta_predictions e where e.job = p_id;
  -- The example of a group may be this job's error: another's takes its place, or the message without what varies.
  with gone as (
    delete from bellhand.failure_jobs f where f.job = p_id returning f.fingerprint)
  select array_agg(g.fingerprint) into alone from gone g;
  update bellhand.failures f set example = coalesce((
      select right(o.error, 2000) from bellhand.failure_jobs x join bellhand.history o on o.id = x.job and o.finished_at = x.finished_at
      where x.fingerprint = f.fingerprint order by x.finished_at desc limit 1), f.message)
    where f.fingerprint = any (alone);
  update bellhand.events e set data = null where e.job = p_id and e.data is not null;
  insert into bellhand.tombstones (job, key, kind, state, partial, created_at, finished_at, reason)
    values (h.id, h.key, h.kind, h.state, h.partial, h.created_at, h.finished_at, p_reason);
  insert into bellhand.events (type, job, kind, data)
    values ('purged', h.id, h.kind, jsonb_strip_nulls(jsonb_build_object('was', h.state, 'reason', p_reason)));
  return 'purged';
end $$;
