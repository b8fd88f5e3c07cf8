-- Says that nobody sleeps, unless another worker has fallen asleep after the one that holds p_token.
create or replace function bellhand.wake_up(p_token bigint) returns void language plpgsql as $$
begin
  if (select last_value from bellhand.asleep_until) <= p_token then
    perform setval('bellhand.asleep_until', 0);
  end if;
end $$;
