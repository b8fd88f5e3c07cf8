-- Enqueues the job of a schedule now, beside its ticks and told of as theirs are, and returns it.
create or replace function bellhand.run_schedule(p_name text, out id bigint, out key uuid) language plpgsql as $$
#variable_conflict use_column
declare
  s bellhand.schedules;
begin
  select * into s from bellhand.schedules x where x.name = p_name;
  if not found then
    raise exception using errcode = 'BH008', message = format('there is no schedule %s', to_json(p_name)),
      hint = 'Schedules: ' || coalesce((select string_agg(name, ', ' order by name) from bellhand.schedules), 'none');
  end if;
  insert into bellhand.jobs as j (kind, payload, priority, notify, source, tags)
    values (s.kind, s.payload, s.priority, case when bellhand.notify_problem(s.kind, s.notify) is null then s.notify end, 'schedule', jsonb_build_object('schedule', p_name)) returning j.id, j.key into run_schedule.id, run_schedule.key;
  insert into bellhand.events (type, job, kind, data) values ('schedule_run', run_schedule.id, s.kind, jsonb_build_object('schedule', p_name));
end $$;
