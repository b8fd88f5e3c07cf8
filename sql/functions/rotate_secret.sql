-- Gives a webhook a new secret (one of its own making, unless it is told) and returns it. Those before it go on signing beside it
-- for p_keep_seconds, so that receivers can change over without a gap.
create or replace function bellhand.rotate_secret(p_channel text, p_keep_seconds float8 default 86400, p_secret text default null) returns text
language plpgsql as $$
declare
  made text := coalesce(p_secret, 'whsec_' || encode(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'base64'));
begin
  perform bellhand.no_such_channel(p_channel);
  update bellhand.channel_secrets s set expires_at = least(s.expires_at, bellhand.now() + make_interval(secs => p_keep_seconds))
    where s.channel = p_channel;
  delete from bellhand.channel_secrets s where s.channel = p_channel and s.expires_at <= bellhand.now();
  insert into bellhand.channel_secrets (channel, secret) values (p_channel, made)
    on conflict (channel, secret) do update set made_at = bellhand.now(), expires_at = null;
  insert into bellhand.events (type, data) values ('secret_rotated', jsonb_build_object('channel', p_channel));
  return made;
end $$;
