-- Takes a subscription out: its channel hears no more of what it asked for. Refuses those of the configuration, which would be back
-- with the next start of a daemon.
create or replace function bellhand.unsubscribe(p_name text) returns void language plpgsql as $$
declare
  s bellhand.subscriptions;
begin
  select * into s from bellhand.subscriptions x where x.name = p_name for update;
  if not found then
    raise exception using errcode = 'BH008', message = format('there is no subscription %s', to_json(p_name)),
      hint = 'Subscriptions: ' || coalesce((select string_agg(name, ', ' order by name) from bellhand.subscriptions), 'none');
  elsif s.source = 'config' then
    raise exception using errcode = 'BH011', message = format('subscription %s is in the configuration', p_name),
      hint = format('Take [notify.subscriptions.%s] out and reload the daemons (systemctl reload bellhand, or SIGHUP)', to_json(p_name));
  end if;
  delete from bellhand.subscriptions x where x.name = p_name;
  insert into bellhand.events (type, data) values ('unsubscribed', jsonb_build_object('subscription', p_name, 'channel', s.channel));
end $$;
