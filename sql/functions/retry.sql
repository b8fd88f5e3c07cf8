-- Runs a failed, cancelled or partly completed job again, in its own row with a higher epoch and fresh attempts; steps
-- that completed are kept and skipped, those that failed for good have another chance. One that waits for its next attempt is run at once. The unique key guards
-- against a second live job.
create or replace function bellhand.retry(p_id bigint) returns text language plpgsql as $$
declare
  h bellhand.history;
begin
  update bellhand.steps s set for_good = false where s.job = p_id and s.for_good;
  if exists (select from bellhand.jobs j where j.id = p_id) then
    perform bellhand.wrong_state(p_id, a.state, 'retry')
      from bellhand.all_jobs a where a.id = p_id and a.finished_at is null and a.state <> 'retrying';
    return bellhand.run_now(p_id);
  end if;
  select * into h from bellhand.history x where x.id = p_id order by x.finished_at desc limit 1 for update;
  if not found then
    -- Somebody else has retried it while this one waited for the row.
    perform bellhand.wrong_state(p_id, a.state, 'retry') from bellhand.all_jobs a where a.id = p_id and a.finished_at is null;
    perform bellhand.no_such_job(p_id);
  end if;
  if h.state = 'completed' and not h.partial then perform bellhand.wrong_state(p_id, h.state, 'retry'); end if;
  delete from bellhand.history x where x.id = p_id and x.finished_at = h.finished_at;
  begin
    insert into bellhand.jobs (id, key, kind, payload, priority, run_at, attempts_max, timeout_seconds, unique_key, owner, tags,
        depends_policy, notify, source, created_at, epoch, progress, error)
      overriding system value
      values (h.id, h.key, h.kind, h.payload, h.priority, bellhand.now(), h.attempts_max, h.timeout_seconds, h.unique_key, h.owner, h.tags,
        h.depends_policy, h.notify, h.source, h.created_at, h.epoch + 1, h.progress, h.error);
  exception when unique_violation then
    raise exception using errcode = 'BH007', message = format('job %s cannot be retried: another live job has its unique key %s', p_id, to_json(h.unique_key)),
      hint = 'Let that one finish, or cancel it first.';
  end;
  insert into bellhand.events (type, job, kind, data) values ('retried', h.id, h.kind, jsonb_build_object('was', h.state));
  return 'pending';
end $$;
