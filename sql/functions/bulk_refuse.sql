-- Refuses a filter or an action of a bulk operation that says something nobody understands, before anything is looked at.
create or replace function bellhand.bulk_refuse(p_filter jsonb, p_action text, p_arguments jsonb) returns void language plpgsql immutable as $$
declare
  known text[] := array['ids', 'states', 'kind', 'owner', 'lane', 'failure', 'since', 'until', 'tags'];
  odd text := (select k from jsonb_object_keys(case when jsonb_typeof(p_filter) = 'object' then p_filter else '{}' end) k where k <> all (known) limit 1);
begin
  if p_action is null or p_action <> all (array['cancel', 'pause', 'resume', 'retry', 'run_now', 'reprioritize']) then
    raise exception using errcode = 'BH004', message = format('%s is no action', coalesce(to_json(p_action)::text, 'null')),
      detail = 'There are cancel, pause, resume, retry, run_now and reprioritize.', hint = 'Name one of those.';
  elsif jsonb_typeof(p_filter) is distinct from 'object' or p_filter = '{}' then
    raise exception using errcode = 'BH004', message = 'the filter names no jobs', detail = 'An empty filter would mean every job.',
      hint = format('Say which: %s; for all that wait {"states": ["pending"]}.', array_to_string(known, ', '));
  elsif odd is not null then
    raise exception using errcode = 'BH004', message = format('the filter has no %s', to_json(odd)),
      detail = format('It knows %s.', array_to_string(known, ', ')), hint = 'Leave it out, or correct its name.';
  elsif p_action = 'reprioritize' and (jsonb_typeof(p_arguments -> 'priority') is distinct from 'number' or (p_arguments ->> 'priority')::numeric not between 1 and 10) then
    raise exception using errcode = 'BH004', message = 'reprioritize needs a priority from 1 to 10', detail = '10 runs first, 1 last.',
      hint = 'Give it as an argument: {"priority": 8}.';
  elsif p_arguments ? 'hold_seconds' and (jsonb_typeof(p_arguments -> 'hold_seconds') <> 'number' or (p_arguments ->> 'hold_seconds')::numeric not between 0 and 3600) then
    raise exception using errcode = 'BH004', message = 'hold_seconds must be a number from 0 to 3600',
      detail = 'For so long nothing begins, so that it can be undone.', hint = 'Leave it out for 10 seconds.';
  end if;
end $$;
