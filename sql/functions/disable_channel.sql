-- Stops deliveries to a channel; what is due meanwhile fails, and bellhand.replay() sends it later. Tells the subscriptions that
-- asked for `disabled`, but for its own.
create or replace function bellhand.disable_channel(p_name text, p_reason text default null) returns void language plpgsql as $$
declare
  targets text[];
begin
  perform bellhand.no_such_channel(p_name);
  update bellhand.channels c set disabled_at = bellhand.now(), disabled_reason = p_reason where c.name = p_name and c.disabled_at is null;
  if not found then return; end if;
  insert into bellhand.events (type, data) values ('channel_disabled', jsonb_build_object('channel', p_name, 'reason', p_reason));
  targets := array(select distinct s.channel from bellhand.subscriptions s where 'disabled' = any (s.states) and s.channel <> p_name order by 1);
  perform bellhand.send_notices(targets, array_fill(jsonb_build_object('type', 'channel.disabled', 'timestamp', bellhand.rfc3339(bellhand.now()),
    'data', jsonb_build_object('channel', p_name, 'error', bellhand.without_secrets(p_reason))), array[cardinality(targets)]));
end $$;
