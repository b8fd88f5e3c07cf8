-- Adds what this worker counted since its last call to the minute's rows, one row a worker, so nobody waits for a lock; and to the
-- totals, whose few rows the workers lock in one order.
with totals as (
  insert into bellhand.totals as old (kind, outcome, jobs, run_seconds)
    select t.kind, t.outcome, t.jobs, t.run_seconds from unnest($2::text[], $3::text[], $4::bigint[], $6::float8[]) t(kind, outcome, jobs, run_seconds)
    order by t.kind, t.outcome
    on conflict (kind, outcome) do update set jobs = old.jobs + excluded.jobs, run_seconds = old.run_seconds + excluded.run_seconds)
insert into bellhand.stats as old (minute, kind, outcome, worker, jobs, wait_seconds, run_seconds, histogram, waits)
  select date_trunc('minute', bellhand.now()), u.kind, u.outcome, $1, u.jobs, u.wait_seconds, u.run_seconds,
    string_to_array(u.histogram, ',')::integer[], string_to_array(u.waits, ',')::integer[]
  from unnest($2::text[], $3::text[], $4::bigint[], $5::float8[], $6::float8[], $7::text[], $8::text[])
    u(kind, outcome, jobs, wait_seconds, run_seconds, histogram, waits)
  on conflict (minute, kind, outcome, worker) do update set jobs = old.jobs + excluded.jobs,
    wait_seconds = old.wait_seconds + excluded.wait_seconds, run_seconds = old.run_seconds + excluded.run_seconds,
    histogram = (select array_agg(a + b order by o) from unnest(old.histogram, excluded.histogram) with ordinality x(a, b, o)),
    waits = (select array_agg(a + b order by o) from unnest(old.waits, excluded.waits) with ordinality x(a, b, o))
