-- Opens a session of a browser with a token that is good, and forgets those that have expired.
create or replace function bellhand.open_session(p_digest bytea, p_opened_with bytea, p_name text, p_scopes text[], p_seconds float8) returns void
language sql as $$
  delete from bellhand.tokens t where t.opened_with is not null and t.expires_at <= bellhand.now();
  insert into bellhand.tokens (digest, opened_with, name, scopes, expires_at)
    values (p_digest, p_opened_with, p_name, p_scopes, bellhand.now() + make_interval(secs => p_seconds));
$$;
