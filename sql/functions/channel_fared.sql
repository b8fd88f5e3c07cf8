-- Notes how a delivery to a channel went (p_error null: well) and returns whether that disables it: it is gone for good, or nothing
-- has got through for p_failing_seconds and at least 10 tries. From the fifth failure in a row on nobody tries for a while, 2 seconds
-- to 5 minutes, so that a dead receiver does not hold up the others. What fails meanwhile was under way before, and counts once with what began
-- that while: or a burst that fails together would end in 5 minutes at once. A channel that is well is not written to.
create or replace function bellhand.channel_fared(p_name text, p_error text, p_gone boolean, p_failing_seconds float8) returns boolean
language plpgsql as $$
declare
  c bellhand.channels;
begin
  if p_error is null then
    update bellhand.channels x set failing_since = null, failures = 0, retry_at = null, last_error = null where x.name = p_name and x.failures > 0;
    return false;
  end if;
  update bellhand.channels x set last_error = left(p_error, 1000), failing_since = coalesce(x.failing_since, bellhand.now()),
      failures = x.failures + case when x.retry_at > bellhand.now() then 0 else 1 end,
      retry_at = case when x.retry_at > bellhand.now() then x.retry_at
        when x.failures >= 4 then bellhand.now() + least(300, 2 ^ least(x.failures - 3, 10)) * interval '1 second' end
    where x.name = p_name and x.disabled_at is null returning * into c;
  if not found then return false; end if;
  if p_gone or (c.failures >= 10 and c.failing_since <= bellhand.now() - p_failing_seconds * interval '1 second') then
    perform bellhand.disable_channel(p_name, case when p_gone then 'it is gone: ' else format('nothing got through since %s: ',
      to_char(c.failing_since at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"')) end || left(p_error, 500));
    return true;
  end if;
  return false;
end $$;
