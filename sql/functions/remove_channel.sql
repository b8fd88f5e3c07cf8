-- Takes a channel out, with its secrets and the subscriptions that tell it; what is under way to it fails and says why. Refuses those
-- of the configuration, which would be back with the next start of a daemon.
create or replace function bellhand.remove_channel(p_name text) returns void language plpgsql as $$
declare
  c bellhand.channels;
begin
  perform bellhand.no_such_channel(p_name);
  select * into c from bellhand.channels x where x.name = p_name for update;
  if c.source = 'config' then
    raise exception using errcode = 'BH011', message = format('channel %s is in the configuration', p_name),
      hint = format('Take [notify.channels.%s] out and reload the daemons (systemctl reload bellhand, or SIGHUP); until then: bellhand channels disable %s',
        to_json(p_name), p_name);
  end if;
  delete from bellhand.channels x where x.name = p_name;
  insert into bellhand.events (type, data) values ('channel_removed', jsonb_build_object('channel', p_name, 'kind', c.kind));
end $$;
