-- How every outside service stands: its breaker, what it waits for, and what this day and month have cost (UTC).
create or replace view bellhand.service_status as
  select s.name as service, s.state as breaker, s.failures, s.changed_at as breaker_changed_at,
    case when s.state <> 'closed' then greatest(0, extract(epoch from s.retry_at - bellhand.now()))::float8 end as retry_seconds,
    s.error as last_error,
    case when s.paused_until > bellhand.now() then s.paused_reason end as paused_reason,
    case when s.paused_until > bellhand.now() then extract(epoch from s.paused_until - bellhand.now())::float8 end as paused_seconds,
    case when s.day = d.today then s.day_calls else 0 end as day_calls,
    case when s.day = d.today then s.day_cost_microdollars else 0 end as day_cost_microdollars,
    case when date_trunc('month', s.day) = date_trunc('month', d.today) then s.month_calls else 0 end as month_calls,
    case when date_trunc('month', s.day) = date_trunc('month', d.today) then s.month_cost_microdollars else 0 end as month_cost_microdollars
  from bellhand.services s cross join (select (bellhand.now() at time zone 'UTC')::date as today) d;
select bellhand.allow(who, 'select on bellhand.service_status') from unnest(array['reader', 'worker']) who;
