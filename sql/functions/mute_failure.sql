-- Leaves a group of failures out of what is shown at first, for p_seconds from now on (null: until it is unmuted; 0: not any more), or
-- with p_until_deploy until the next deploy, which deploy_unmutes sees.
drop function if exists bellhand.mute_failure(text, float8, text);   -- as it was: a call could mean either
create or replace function bellhand.mute_failure(p_fingerprint text, p_seconds float8 default null, p_reason text default null, p_until_deploy boolean default false)
returns timestamptz language plpgsql as $$
declare
  until timestamptz := case when p_until_deploy or p_seconds is null then 'infinity' when p_seconds > 0 then bellhand.now() + make_interval(secs => p_seconds) end;
begin
  update bellhand.failures f set muted_until = until, muted_until_deploy = p_until_deploy, muted_reason = case when until is not null then left(p_reason, 500) end,
    muted_by = case when until is not null then coalesce(nullif(current_setting('bellhand.actor', true), ''), session_user) end
    where f.fingerprint = p_fingerprint;
  if not found then perform bellhand.no_such_failure(p_fingerprint); end if;
  insert into bellhand.events (type, data) values (case when until is null then 'failure_unmuted' else 'failure_muted' end,
    jsonb_strip_nulls(jsonb_build_object('failure', p_fingerprint, 'until', case when p_until_deploy then 'deploy' else bellhand.rfc3339(until) end, 'reason', p_reason)));
  return until;
end $$;
