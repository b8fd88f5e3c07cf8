-- Tells a channel from now on of jobs by kind (`sites.*`, `*`) and end: completed, partial, failed, cancelled, late (after
-- p_late_seconds), and of channels that are disabled. Changes the subscription if the name is taken, unless the configuration has it.
create or replace function bellhand.subscribe(
  p_name text, p_channel text, p_states text[], p_kinds text default '*', p_late_seconds float8 default null) returns void language plpgsql as $$
begin
  perform bellhand.no_such_channel(p_channel);
  if not p_states <@ array['completed', 'partial', 'failed', 'cancelled', 'late', 'disabled'] or cardinality(p_states) = 0 then
    raise exception using errcode = 'BH005', message = format('%s is not what can be told', to_json(p_states)),
      hint = 'Take some of completed, partial, failed, cancelled, late, disabled.';
  elsif ('late' = any (p_states)) <> (p_late_seconds is not null) then
    raise exception using errcode = 'BH005', message = 'late_seconds says after how long "late" is told: give both or neither';
  elsif p_name is null or p_name !~ '^[A-Za-z0-9_.:-]{1,100}$' then
    raise exception using errcode = 'BH005', message = format('%s names no subscription', to_json(left(p_name, 100))), hint = '1 to 100 letters, digits, _ . : and -';
  elsif p_kinds is null or p_kinds !~ '^[a-z0-9_.:*-]{1,100}$' then
    raise exception using errcode = 'BH005', message = format('%s names no kinds', to_json(left(p_kinds, 100))), hint = 'A kind, or several with a star: sites.*';
  elsif exists (select from bellhand.subscriptions s where s.name = p_name and s.source = 'config') then
    raise exception using errcode = 'BH011', message = format('subscription %s is in the configuration', p_name),
      hint = 'Change it there, under [notify.subscriptions].';
  end if;
  insert into bellhand.subscriptions (name, channel, states, kinds, late_seconds) values (p_name, p_channel, p_states, p_kinds, p_late_seconds)
    on conflict (name) do update set channel = excluded.channel, states = excluded.states, kinds = excluded.kinds,
      late_seconds = excluded.late_seconds;
  insert into bellhand.events (type, data) values ('subscribed', jsonb_strip_nulls(jsonb_build_object('subscription', p_name, 'channel', p_channel,
    'on', to_jsonb(p_states), 'kinds', p_kinds, 'late_seconds', p_late_seconds)));
end $$;
