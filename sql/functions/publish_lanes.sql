-- Writes the limits that the configuration names for lanes ([{name, concurrency, rate_per_second, rate_burst}]).
create or replace function bellhand.publish_lanes(p_lanes jsonb) returns void language sql as $$
  insert into bellhand.lanes as old (name, concurrency, rate_per_second, rate_burst, tokens, source)
    select k.name, k.concurrency, k.rate_per_second, k.rate_burst, k.rate_burst, 'config'
    from jsonb_to_recordset(p_lanes) k(name text, concurrency integer, rate_per_second float8, rate_burst integer) order by k.name
    on conflict (name) do update set concurrency = excluded.concurrency, rate_per_second = excluded.rate_per_second,
      rate_burst = excluded.rate_burst, source = excluded.source
    where (old.concurrency, old.rate_per_second, old.rate_burst, old.source)
      is distinct from (excluded.concurrency, excluded.rate_per_second, excluded.rate_burst, excluded.source)
$$;
