-- Tells many jobs at once what to do, if p_expected of them match, and writes down who did what to whom, so that it can be undone.
-- Jobs that something else has taken meanwhile are left alone: `jobs` says how many were reached. At most 10,000 at once.
-- p_arguments: {"priority": 8} for reprioritize, {"hold_seconds": 10} for retry. Guard: each way locks the jobs' rows, then takes
-- them out of where they wait, so that no claim and no settle decides otherwise at the same time.
create or replace function bellhand.bulk_act(p_filter jsonb, p_action text, p_expected bigint, p_reason text default null, p_arguments jsonb default '{}',
  out operation bigint, out jobs bigint, out undo_until timestamptz) language plpgsql set jit = off as $$
declare
  ids bigint[]; moments timestamptz[]; n bigint;
begin
  perform bellhand.bulk_refuse(p_filter, p_action, p_arguments);
  select array_agg(m.id), array_agg(m.finished_at) into ids, moments from bellhand.bulk_matching(p_filter, p_action, 10000) m;
  n := coalesce(cardinality(ids), 0);
  if n is distinct from p_expected then
    raise exception using errcode = 'BH013', message = format('%s %s, %s', bellhand.counted(n, 'job'), case when n = 1 then 'matches' else 'match' end,
        coalesce('not ' || p_expected, 'and no count was expected')),
      detail = case when p_expected is null then 'A bulk action names how many jobs it is to reach.' else 'Something changed since they were counted.' end,
      hint = format('Look again, then expect %s.', n);
  end if;
  undo_until := bellhand.now() + make_interval(secs => bellhand.undo_seconds(p_action, p_arguments));
  insert into bellhand.operations as o (action, filter, arguments, reason, undo_until)
    values (p_action, p_filter, p_arguments, p_reason, bulk_act.undo_until) returning o.id into operation;
  jobs := case when n = 0 then 0 when p_action = 'retry' then bellhand.bulk_retry(operation, ids, moments, bellhand.undo_seconds(p_action, p_arguments))
    when p_action = 'cancel' then bellhand.bulk_cancel(operation, ids, p_reason)
    when p_action = 'pause' then bellhand.bulk_pause(operation, ids)
    when p_action = 'resume' then bellhand.bulk_resume(operation, ids)
    when p_action = 'run_now' then bellhand.bulk_run_now(operation, ids)
    else bellhand.bulk_reprioritize(operation, ids, (p_arguments ->> 'priority')::smallint) end;
  update bellhand.operations o set jobs = bulk_act.jobs where o.id = operation;
  insert into bellhand.events (type, data) values ('bulk_' || p_action,
    jsonb_strip_nulls(jsonb_build_object('operation', operation, 'jobs', jobs, 'filter', p_filter, 'arguments', p_arguments, 'reason', p_reason)));
end $$;
