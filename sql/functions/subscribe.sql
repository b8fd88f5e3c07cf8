-- Tells a channel from now on of jobs by kind (`sites.*`, `*`) and end: completed, partial, failed, cancelled, late (after
-- p_late_seconds), and of channels that are disabled. Changes the subscription if the name is taken.
create or replace function bellhand.subscribe(
  p_name text, p_channel text, p_states text[], p_kinds text default '*', p_late_seconds float8 default null) returns void language plpgsql as $$
begin
  perform bellhand.no_such_channel(p_channel);
  if not p_states <@ array['completed', 'partial', 'failed', 'cancelled', 'late', 'disabled'] or cardinality(p_states) = 0 then
    raise exception using errcode = 'BH005', message = format('%s is not what can be told', to_json(p_states)),
      hint = 'Take some of completed, partial, failed, cancelled, late, disabled.';
  elsif ('late' = any (p_states)) <> (p_late_seconds is not null) then
    raise exception using errcode = 'BH005', message = 'late_seconds says after how long "late" is told: give both or neither';
  end if;
  insert into bellhand.subscriptions (name, channel, states, kinds, late_seconds) values (p_name, p_channel, p_states, p_kinds, p_late_seconds)
    on conflict (name) do update set channel = excluded.channel, states = excluded.states, kinds = excluded.kinds,
      late_seconds = excluded.late_seconds, source = 'sql';
end $$;
