-- Takes a token back, and with it the sessions that were opened with it; daemons hear of it within two seconds.
create or replace function bellhand.revoke_token(p_name text) returns void language plpgsql as $$
declare
  gone bytea;
begin
  update bellhand.tokens t set revoked_at = bellhand.now()
    where t.name = p_name and t.revoked_at is null and t.opened_with is null returning t.digest into gone;
  if gone is null then
    raise exception using errcode = 'BH008', message = format('there is no token %s', to_json(p_name)),
      hint = 'List them with: bellhand token list';
  end if;
  delete from bellhand.tokens t where t.opened_with = gone;
  insert into bellhand.events (type, data) values ('token_revoked', jsonb_build_object('token', p_name));
end $$;
