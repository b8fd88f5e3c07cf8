-- Asks whether a call to service p_name may go out now, under the row lock of the service.
-- The verdict: go after wait_seconds (its token is taken), probe (the same; the one call that an open breaker lets through),
-- or not: paused (the service asked for it), capped (our own limit of the day or month), open (the breaker), rate (the next
-- token is more than p_wait_seconds_max away). Then wait_seconds says when to ask again.
-- Commits asynchronously: a crash of the server costs a token or two.
create or replace function bellhand.service_enter(
  p_name text, p_key text, p_ticket uuid, p_rate double precision, p_burst integer, p_wait_seconds_max double precision,
  p_probe_seconds double precision, p_day_calls_max bigint, p_month_calls_max bigint, p_day_cost_max bigint, p_month_cost_max bigint)
returns table (verdict text, wait_seconds double precision, reason text) language plpgsql as $$
declare
  s bellhand.services; t timestamptz := bellhand.now(); today date := (bellhand.now() at time zone 'UTC')::date;
begin
  perform set_config('synchronous_commit', 'off', true);
  insert into bellhand.services (name, tokens, day) values (p_name, p_burst, today) on conflict do nothing;
  select * into s from bellhand.services x where x.name = p_name for no key update;
  -- A minute and more ahead: the server's clock was set back, and what was to be over then would not be until it has caught up.
  if s.tokens_at > t + interval '1 minute' then
    update bellhand.services x set tokens_at = t, retry_at = case when x.retry_at > t then t else x.retry_at end,
      paused_until = case when x.paused_until > t then t else x.paused_until end where x.name = p_name returning * into s;
  end if;
  -- Who waited for the lock began earlier than who had it: time does not go back.
  t := greatest(t, s.tokens_at);
  if date_trunc('month', s.day) <> date_trunc('month', today) then
    s.month_calls := 0; s.month_cost_microdollars := 0;
  end if;
  if s.day <> today then
    s.day := today; s.day_calls := 0; s.day_cost_microdollars := 0;
  end if;
  wait_seconds := 0;
  if s.paused_until > t and s.paused_key = p_key then
    return query select 'paused', extract(epoch from s.paused_until - t)::float8, s.paused_reason;
    return;
  end if;
  if s.month_calls >= p_month_calls_max or s.month_cost_microdollars >= p_month_cost_max then
    return query select 'capped', extract(epoch from (date_trunc('month', today) + interval '1 month') at time zone 'UTC' - t)::float8,
      case when s.month_calls >= p_month_calls_max then format('its %s calls of this month are spent (calls_per_month_max)', p_month_calls_max)
        else format('its $%s of this month are spent (dollars_per_month_max)', trim_scale(p_month_cost_max / 1000000.0)) end;
    return;
  end if;
  if s.day_calls >= p_day_calls_max or s.day_cost_microdollars >= p_day_cost_max then
    return query select 'capped', extract(epoch from (today + 1)::timestamp at time zone 'UTC' - t)::float8,
      case when s.day_calls >= p_day_calls_max then format('its %s calls of this day are spent (calls_per_day_max)', p_day_calls_max)
        else format('its $%s of this day are spent (dollars_per_day_max)', trim_scale(p_day_cost_max / 1000000.0)) end;
    return;
  end if;
  if s.state <> 'closed' and s.retry_at > t then
    return query select 'open', extract(epoch from s.retry_at - t)::float8,
      format('its breaker is open after %s failures in a row, the last: %s', s.failures, s.error);
    return;
  end if;
  if p_rate is not null then
    s.tokens := least(p_burst, s.tokens + extract(epoch from t - s.tokens_at) * p_rate) - 1;
    wait_seconds := greatest(0, -s.tokens / p_rate);
    if wait_seconds > p_wait_seconds_max then
      return query select 'rate', wait_seconds, format('its %s calls a second are taken (rate_per_second)', p_rate);
      return;
    end if;
  end if;
  verdict := 'go';
  if s.state <> 'closed' then
    verdict := 'probe';
    s.retry_at := t + make_interval(secs => p_probe_seconds + wait_seconds); s.ticket := p_ticket; s.state := 'half_open';
  end if;
  update bellhand.services x set tokens = coalesce(s.tokens, x.tokens), tokens_at = t, state = s.state, retry_at = s.retry_at, ticket = s.ticket,
    changed_at = case when x.state = s.state then x.changed_at else t end,
    day = s.day, day_calls = s.day_calls + 1, day_cost_microdollars = s.day_cost_microdollars,
    month_calls = s.month_calls + 1, month_cost_microdollars = s.month_cost_microdollars
    where x.name = p_name;
  return next;
end $$;
