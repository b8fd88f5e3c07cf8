-- Makes a channel, or changes it, and returns the secret of a webhook that has none yet: show it to the receiver once. A digest is
-- one message for what exceeds digest_max messages in digest_seconds; a webhook hears of everything.
create or replace function bellhand.set_channel(
  p_name text, p_kind text, p_address text, p_digest_seconds integer default 300, p_digest_max integer default 10, p_secret text default null)
returns text language plpgsql as $$
begin
  if p_kind = 'email' and (position('@' in p_address) = 0 or bellhand.notify_problem('', jsonb_build_array(
       jsonb_build_object('on', '["failed"]'::jsonb, 'to', p_address))) like '%address') then
    raise exception using errcode = 'BH005', message = format('%s is no e-mail address', to_json(left(p_address, 100))), hint = 'For example ops@example.com';
  elsif p_kind <> 'email' and p_address !~ '^https?://[^[:space:][:cntrl:]@]+$' then
    raise exception using errcode = 'BH005', message = format('a channel of kind %s needs an address like https://example.com/hook', p_kind),
      hint = 'Without user name or password; what the receiver must trust is the signature.';
  elsif exists (select from bellhand.channels c where c.name = p_name and c.source = 'config') then
    raise exception using errcode = 'BH011', message = format('channel %s is in the configuration', p_name), hint = 'Change it there, under [notify.channels].';
  end if;
  insert into bellhand.channels as c (name, kind, address, digest_seconds, digest_max)
    values (p_name, p_kind, p_address, p_digest_seconds, p_digest_max)
    on conflict (name) do update set kind = excluded.kind, address = excluded.address, digest_seconds = excluded.digest_seconds,
      digest_max = excluded.digest_max;
  insert into bellhand.events (type, data) values ('channel_set', jsonb_build_object('channel', p_name, 'kind', p_kind));
  if p_kind = 'webhook' and (p_secret is not null or not exists (select from bellhand.channel_secrets s where s.channel = p_name)) then
    return bellhand.rotate_secret(p_name, p_secret => p_secret);
  end if;
  return null;
end $$;
