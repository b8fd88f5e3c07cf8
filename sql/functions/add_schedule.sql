-- Makes a schedule, or with p_replace changes one that is there, pause included; what its jobs would be refused for, it is refused for now.
-- Schedules of the configuration are refused: the next start of a daemon would set them back. The caller has read the expression (nothing
-- here knows cron) and says when it is due next. Guards: the insert's own conflict keeps two callers apart.
create or replace function bellhand.add_schedule(
  p_name text, p_cron text, p_timezone text, p_kind text, p_payload jsonb, p_priority integer, p_missed text, p_missed_max integer,
  p_notify jsonb, p_next_at timestamptz, p_replace boolean default false) returns void language plpgsql as $$
declare
  k bellhand.kinds; s bellhand.schedules; problem text; made boolean;
begin
  select * into k from bellhand.kinds x where x.name = p_kind;
  if not found and (select value from bellhand.meta where name = 'unknown_kinds') is distinct from 'hold' then
    perform bellhand.refuse_kind(p_kind);
  end if;
  problem := bellhand.payload_problem(p_payload, coalesce(k.checks, '[]'));
  if problem is not null then
    raise exception using errcode = 'BH002', message = format('payload does not fit kind %s', to_json(p_kind)), detail = problem,
      hint = format('See what it takes: bellhand kinds %s', p_kind);
  end if;
  problem := case when p_notify is not null then bellhand.notify_problem(p_kind, p_notify) end;
  if problem is not null then
    raise exception using errcode = 'BH005', message = 'the schedule''s notify is not valid', detail = problem;
  end if;
  insert into bellhand.schedules (name, cron, timezone, kind, payload, priority, missed, missed_max, notify, next_at)
    values (p_name, p_cron, p_timezone, p_kind, p_payload, coalesce(p_priority, k.priority, 5), p_missed, p_missed_max, p_notify, p_next_at)
    on conflict (name) do nothing;
  made := found;
  if not made then
    select * into s from bellhand.schedules x where x.name = p_name for update;
    if s.source = 'config' then
      raise exception using errcode = 'BH011', message = format('schedule %s is in the configuration', p_name),
        hint = format('Change it under [schedules.%s] and reload the daemons (systemctl reload bellhand, or SIGHUP).', to_json(p_name));
    elsif not p_replace then
      raise exception using errcode = 'BH007', message = format('there is a schedule %s already', to_json(p_name)),
        hint = 'Take another name, or change that one: the same command with --replace';
    end if;
    update bellhand.schedules x set cron = p_cron, timezone = p_timezone, kind = p_kind, payload = p_payload, missed = p_missed,
        priority = coalesce(p_priority, k.priority, 5), missed_max = p_missed_max, notify = p_notify, error = null, again_at = null,
        -- As with a changed configuration: only a new expression is counted anew.
        next_at = case when (x.cron, x.timezone) = (p_cron, p_timezone) then x.next_at else p_next_at end,
        counted_at = case when (x.cron, x.timezone) = (p_cron, p_timezone) then x.counted_at else bellhand.now() end
      where x.name = p_name;
  end if;
  insert into bellhand.events (type, kind, data) values (case when made then 'schedule_added' else 'schedule_changed' end, p_kind,
    jsonb_build_object('schedule', p_name, 'cron', p_cron, 'timezone', p_timezone));
  perform bellhand.call_workers();
end $$;
