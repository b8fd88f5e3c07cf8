-- Changes a job that is not over: some of priority, run_at, attempts_max and tags (JSON; null takes the default of the kind, and of
-- tags only the keys that are named). p_version is the row's xmin as the caller saw it; if the row has been written since, nothing
-- is changed. Guards: the row's lock, and taking the job out of its place, which orders it against the claims.
create or replace function bellhand.change(p_id bigint, p_changes jsonb, p_version text default null) returns void language plpgsql as $$
declare
  j bellhand.jobs; version text; waits boolean := false; new_priority smallint; new_run_at timestamptz; new_tags jsonb;
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
  if j.state = 'pending' and (new_priority, new_run_at) is distinct from (j.priority, j.run_at) then
    waits := bellhand.take_out(p_id);
    if not waits and new_run_at <> j.run_at then perform bellhand.wrong_state(p_id, 'running', 'change its run_at'); end if;
  end if;
  update bellhand.jobs x set priority = new_priority, run_at = new_run_at, tags = new_tags,
      attempts_max = case when p_changes ? 'attempts_max' then (p_changes ->> 'attempts_max')::smallint else x.attempts_max end
    where x.id = p_id;
  if waits then perform bellhand.make_ready(array[p_id]); end if;
  insert into bellhand.events (type, job, kind, data) values ('changed', j.id, j.kind, p_changes);
end $$;
