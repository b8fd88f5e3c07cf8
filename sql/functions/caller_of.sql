-- Who shows the token, or with p_session the session, of this digest: no row if nobody may with it. p_configured is the digest of
-- the token that the asking daemon has in its configuration: sessions that were opened with it are good as long as it is that one.
-- Notes the use once a minute at the most, so that a busy caller does not rewrite its row with every request.
create or replace function bellhand.caller_of(p_digest bytea, p_session boolean, p_configured bytea) returns table (name text, scopes text[])
language plpgsql as $$
declare
  t bellhand.tokens; opened_with bellhand.tokens; moment timestamptz := bellhand.now();
begin
  select * into t from bellhand.tokens x
    where x.digest = p_digest and x.revoked_at is null and (x.expires_at is null or x.expires_at > moment)
      and (x.opened_with is not null) = p_session;
  if not found then return; end if;
  if p_session and t.opened_with is distinct from p_configured then
    select * into opened_with from bellhand.tokens x
      where x.digest = t.opened_with and x.revoked_at is null and (x.expires_at is null or x.expires_at > moment);
    if not found then return; end if;
  end if;
  update bellhand.tokens x set last_used_at = moment
    where x.id in (t.id, opened_with.id) and (x.last_used_at is null or x.last_used_at < moment - interval '1 minute');
  return query select t.name, t.scopes;
end $$;
