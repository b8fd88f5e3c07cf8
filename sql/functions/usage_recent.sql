-- What outside services were used for lately, by kind: a row for today (UTC) and one for the six days before it, together the last seven; a few
-- rows are read. `kind` is empty for calls that no job made; the cost is null where no call has a known price, and leaves out
-- `unpriced_calls` otherwise.
create or replace view bellhand.usage_recent as
  select u.service, u.kind, u.day = t.today as today, sum(u.calls)::bigint as calls, sum(u.failures)::bigint as failures,
    sum(u.units_in)::bigint as units_in, sum(u.units_out)::bigint as units_out, sum(u.cost_microdollars)::bigint as cost_microdollars,
    sum(u.unpriced_calls)::bigint as unpriced_calls
  from (select (bellhand.now() at time zone 'UTC')::date as today) t join bellhand.usage_days u on u.day > t.today - 7 and u.day <= t.today
  group by 1, 2, 3;
select bellhand.allow(who, 'select on bellhand.usage_recent') from unnest(array['reader', 'worker']) who;
