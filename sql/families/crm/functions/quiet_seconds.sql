-- Computes how long from `at` it is quiet for somebody in a time zone, 0 where it is not; 21:00 to 08:00 goes over midnight.
create or replace function bellhand_crm.quiet_seconds(at timestamptz, zone text, quiet_from time, quiet_until time)
returns float8 language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
  select case
    when quiet_from = quiet_until or not quiet then 0
    else greatest(0, extract(epoch from timezone(zone, there::date + quiet_until + make_interval(days => (quiet_from > quiet_until and there::time >= quiet_from)::int)) - at))
    end
  from (select timezone(zone, at) as there) t
  cross join lateral (select case when quiet_from < quiet_until then there::time >= quiet_from and there::time < quiet_until
    else there::time >= quiet_from or there::time < quiet_until end as quiet) q
$$;
