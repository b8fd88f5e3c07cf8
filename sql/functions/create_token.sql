-- Lets who shows the token of this digest ask over HTTP, for p_seconds or for good. The token itself never comes here.
create or replace function bellhand.create_token(p_name text, p_scopes text[], p_digest bytea, p_seconds float8 default null) returns bigint
language plpgsql as $$
declare
  made bigint;
begin
  if not p_scopes <@ array['read', 'enqueue', 'operate', 'admin'] or cardinality(p_scopes) = 0 then
    raise exception using errcode = 'BH005', message = format('%s are no scopes', to_json(p_scopes)),
      hint = 'Take some of read, enqueue, operate, admin.';
  elsif p_name !~ '^[A-Za-z0-9_.:-]{1,80}$' or p_name in ('loopback', 'configured', 'nobody', 'cron', 'ticket') then
    -- Those are callers without a token of this table: the audit log could not tell them apart.
    raise exception using errcode = 'BH005', message = format('%s cannot name a token', to_json(left(p_name, 100))),
      hint = 'Take 1 to 80 letters, digits and _ . : - without blanks.';
  end if;
  -- One that has expired makes room for its successor.
  update bellhand.tokens t set revoked_at = bellhand.now()
    where t.name = p_name and t.revoked_at is null and t.opened_with is null and t.expires_at <= bellhand.now();
  insert into bellhand.tokens (name, scopes, digest, expires_at)
    values (p_name, p_scopes, p_digest, bellhand.now() + make_interval(secs => p_seconds)) on conflict do nothing returning id into made;
  if made is null then
    raise exception using errcode = 'BH007', message = format('there is a token %s already', to_json(p_name)),
      hint = format('Take another name, or first: bellhand token revoke %s', p_name);
  end if;
  insert into bellhand.events (type, data)
    values ('token_created', jsonb_build_object('token', p_name, 'scopes', p_scopes, 'seconds', p_seconds));
  return made;
end $$;
