-- Takes a schedule out; its jobs stay, and so do its ticks, so that one of the same name never fires the same tick twice. Refuses those
-- of the configuration, which would be back with the next start of a daemon.
create or replace function bellhand.remove_schedule(p_name text) returns void language plpgsql as $$
declare
  s bellhand.schedules;
begin
  select * into s from bellhand.schedules x where x.name = p_name for update;
  if not found then
    raise exception using errcode = 'BH008', message = format('there is no schedule %s', to_json(p_name)),
      hint = 'Schedules: ' || coalesce((select string_agg(name, ', ' order by name) from bellhand.schedules), 'none');
  elsif s.source = 'config' then
    raise exception using errcode = 'BH011', message = format('schedule %s is in the configuration', p_name),
      hint = format('Take [schedules.%s] out and reload the daemons (systemctl reload bellhand, or SIGHUP); until then: bellhand schedule pause %s',
        to_json(p_name), p_name);
  end if;
  delete from bellhand.schedules x where x.name = p_name;
  insert into bellhand.events (type, kind, data) values ('schedule_removed', s.kind, jsonb_build_object('schedule', p_name));
end $$;
