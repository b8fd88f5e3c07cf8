-- Enqueues one job a tick of a schedule, at most once ever, and sets when it is due next. Guards: the row lock keeps two
-- daemons apart, the compare with p_expected drops the slower one, and (schedule, tick) is unique for ever. Who cannot be told any more
-- (his channel is gone) keeps no job from coming: `error` says it, and the job asks for nothing.
create or replace function bellhand.fire_schedule(p_name text, p_expected timestamptz, p_ticks timestamptz[], p_next timestamptz)
returns integer language plpgsql as $$
declare
  s bellhand.schedules; moment timestamptz; new_id bigint; fired integer := 0; problem text;
begin
  select * into s from bellhand.schedules x where x.name = p_name and x.next_at is not distinct from p_expected and not x.paused for update;
  if not found then return 0; end if;
  problem := case when s.notify is not null then bellhand.notify_problem(s.kind, s.notify) end;
  foreach moment in array p_ticks loop
    insert into bellhand.schedule_ticks (schedule, tick) values (p_name, moment) on conflict do nothing;
    continue when not found;
    insert into bellhand.jobs (kind, payload, priority, notify, source, tags)
      values (s.kind, s.payload, s.priority, case when problem is null then s.notify end, 'schedule', jsonb_build_object('schedule', p_name, 'tick', bellhand.rfc3339(moment))) returning id into new_id;
    update bellhand.schedule_ticks t set job = new_id where t.schedule = p_name and t.tick = moment;
    fired := fired + 1;
  end loop;
  update bellhand.schedules set next_at = p_next, counted_at = bellhand.now(), again_at = null, last_at = coalesce(p_ticks[cardinality(p_ticks)], last_at),
    last_job = coalesce(new_id, last_job), error = 'nobody is told: ' || problem where name = p_name;
  return fired;
end $$;
