-- Takes in how one service fared in the calls of a batch, and opens, closes or keeps its breaker, under the row lock.
-- h: {service, cost, alive: it answered, sick: failures of its own since, error, ticket and passed (true, false, null: not
-- known) of a probe, pause_seconds, pause_reason, pause_key, failures_max, open_seconds}.
-- Only the probe decides about an open breaker; what was under way when it opened comes too late to say anything.
-- A change is an event, and every daemon hears of it.
create or replace function bellhand.service_fared(h jsonb) returns void language plpgsql as $$
declare
  s bellhand.services; was text; t timestamptz := bellhand.now();
  sick integer := (h ->> 'sick')::integer; open_seconds float8 := (h ->> 'open_seconds')::float8;
begin
  select * into s from bellhand.services x where x.name = h ->> 'service' for no key update;
  if not found then return; end if;
  was := s.state;
  if s.state = 'closed' then
    s.failures := sick + case when (h ->> 'alive')::boolean then 0 else s.failures end;
    if s.failures >= (h ->> 'failures_max')::integer then
      s.state := 'open'; s.opens := 1;
      s.retry_at := t + make_interval(secs => open_seconds);
    end if;
  elsif s.ticket = (h ->> 'ticket')::uuid then
    s.ticket := null;
    if (h ->> 'passed')::boolean then
      s.state := 'closed'; s.failures := 0; s.opens := 0; s.retry_at := null; s.error := null;
    elsif h ->> 'passed' = 'false' then
      s.state := 'open'; s.failures := s.failures + 1; s.opens := s.opens + 1;
      -- Longer each time, up to 32 times as long.
      s.retry_at := t + make_interval(secs => open_seconds * 2 ^ least(s.opens - 1, 5));
    else
      s.state := 'open'; s.retry_at := t;   -- the probe was called off: the next call is another
    end if;
  end if;
  if s.state <> 'closed' or s.failures > 0 then
    s.error := coalesce(h ->> 'error', s.error);
  end if;
  if h ? 'pause_seconds' then
    s.paused_until := t + make_interval(secs => (h ->> 'pause_seconds')::float8);
    s.paused_reason := h ->> 'pause_reason'; s.paused_key := h ->> 'pause_key';
  end if;
  update bellhand.services x set state = s.state, failures = s.failures, opens = s.opens, retry_at = s.retry_at, ticket = s.ticket, error = s.error,
    paused_until = s.paused_until, paused_reason = s.paused_reason, paused_key = s.paused_key,
    changed_at = case when x.state = s.state then x.changed_at else t end,
    day_cost_microdollars = x.day_cost_microdollars + (h ->> 'cost')::bigint,
    month_cost_microdollars = x.month_cost_microdollars + (h ->> 'cost')::bigint
    where x.name = s.name;
  -- Half open to open again is no news: it was known not to be closed.
  if (was = 'closed') <> (s.state = 'closed') then
    insert into bellhand.events (type, data) values (case s.state when 'closed' then 'service_closed' else 'service_opened' end,
      jsonb_strip_nulls(jsonb_build_object('service', s.name, 'failures', nullif(s.failures, 0), 'error', s.error)));
    if pg_notification_queue_usage() < 0.5 then
      perform pg_notify('bellhand', 'services');
    end if;
  end if;
end $$;
