-- Changes a job that is not over: some of priority, run_at, attempts_max and tags (JSON; null takes the default of the kind, and of
-- tags only the keys that are named), and while no attempt has begun its payload (a merge patch, checked as at the INSERT). p_version is
-- the row's xmin as the caller saw it; if the row has been written since, nothing is changed. Guards: the row's lock, and taking the job
-- out of its place, which orders it against the claims. The log says what was changed and how it was; of a payload only which keys.
create or replace function bellhand.change(p_id bigint, p_changes jsonb, p_version text default null) returns void language plpgsql as $$
declare
  j bellhand.jobs; version text; waits boolean := false; problem text;
  new_priority smallint; new_run_at timestamptz; new_tags jsonb; new_payload jsonb; was jsonb;
begin
  select x.* into j from bellhand.jobs x where x.id = p_id for update;
  if not found then
    perform bellhand.wrong_state(p_id, h.state, 'change') from bellhand.history h where h.id = p_id order by h.finished_at desc limit 1;
    perform bellhand.no_such_job(p_id);
  end if;
  version := (select x.xmin::text from bellhand.jobs x where x.id = p_id);
  if version <> p_version then
    raise exception using errcode = 'BH012', message = format('job %s has changed meanwhile', p_id);
  end if;
  new_priority := case when p_changes ? 'priority' then
    coalesce((p_changes ->> 'priority')::smallint, (select k.priority from bellhand.kinds k where k.name = j.kind), 5) else j.priority end;
  new_run_at := case when p_changes ? 'run_at' then coalesce((p_changes ->> 'run_at')::timestamptz, bellhand.now()) else j.run_at end;
  new_tags := case when p_changes ? 'tags' then
    (select jsonb_object_agg(t.key, t.value) from jsonb_each(coalesce(j.tags, '{}') || coalesce(nullif(p_changes -> 'tags', 'null'), '{}')) t
     where t.value <> 'null' and p_changes -> 'tags' <> 'null') else j.tags end;
  new_payload := case when p_changes ? 'payload' then bellhand.merge_patch(j.payload, p_changes -> 'payload') else j.payload end;
  if new_payload <> j.payload then
    problem := bellhand.payload_problem(new_payload, coalesce((select k.checks from bellhand.kinds k where k.name = j.kind), '[]'));
    if problem is not null then
      raise exception using errcode = 'BH002', message = format('payload does not fit kind %s', to_json(j.kind)), detail = problem,
        hint = format('See what it takes: select schema from bellhand.kinds where name = %L; or: bellhand kinds %s', j.kind, j.kind);
    end if;
  end if;
  if j.state = 'pending' and (new_priority, new_run_at, new_payload) is distinct from (j.priority, j.run_at, j.payload) then
    waits := bellhand.take_out(p_id);
    if not waits and new_run_at <> j.run_at then perform bellhand.wrong_state(p_id, 'running', 'change its run_at'); end if;
    if not waits and new_payload <> j.payload then perform bellhand.wrong_state(p_id, 'running', 'change its payload'); end if;
  end if;
  -- A snooze, a drain and a failed attempt leave a start; what of it is done was done with the payload as it is.
  if new_payload <> j.payload and (j.started_at is not null or exists (select from bellhand.steps s where s.job = p_id)) then
    raise exception using errcode = 'BH007', message = format('job %s has begun, and its payload stays as it is', p_id),
      detail = 'An attempt of it ran, and may have done a part of what the payload says.', hint = 'Cancel it, and enqueue one with another payload.';
  end if;
  update bellhand.jobs x set priority = new_priority, run_at = new_run_at, tags = new_tags, payload = new_payload,
      attempts_max = case when p_changes ? 'attempts_max' then (p_changes ->> 'attempts_max')::smallint else x.attempts_max end
    where x.id = p_id;
  if waits then perform bellhand.make_ready(array[p_id]); end if;
  was := (select jsonb_object_agg(w.key, w.value) from jsonb_each(jsonb_build_object(
    'priority', j.priority, 'run_at', bellhand.rfc3339(j.run_at), 'attempts_max', j.attempts_max, 'tags', j.tags)) w where p_changes ? w.key);
  -- Values of a payload may be secret, and the log outlives the job.
  insert into bellhand.events (type, job, kind, data) values ('changed', j.id, j.kind, p_changes
    || case when p_changes ? 'payload' then jsonb_build_object('payload', to_jsonb(array(select k from jsonb_object_keys(p_changes -> 'payload') k order by k))) else '{}' end
    || case when was is not null then jsonb_build_object('was', was) else '{}' end);
end $$;
