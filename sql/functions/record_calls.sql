-- Writes down what calls used and how the services fared: batch p_batch of process p_writer, counted once however often it
-- is sent; false says that it was counted before. Rows are taken in the order of their keys, so that two writers cannot wait
-- for each other.
-- p_calls: [{service, operation, kind, owner, calls, failures, units_in, units_out, cost, unpriced}], a key at most once.
-- p_health: see service_fared.sql; in the order of the services.
create or replace function bellhand.record_calls(p_writer uuid, p_batch bigint, p_calls jsonb, p_health jsonb) returns boolean
language plpgsql as $$
declare
  h jsonb;
begin
  insert into bellhand.usage_writers as w (writer, batch, at) values (p_writer, p_batch, bellhand.now())
    on conflict (writer) do update set batch = excluded.batch, at = excluded.at where w.batch < excluded.batch;
  if not found then return false; end if;
  insert into bellhand.usage as u (day, service, operation, kind, owner, calls, failures, units_in, units_out, unpriced_calls, cost_microdollars)
    select (bellhand.now() at time zone 'UTC')::date, c.service, c.operation, c.kind, c.owner, c.calls, c.failures, c.units_in, c.units_out, c.unpriced,
      case when c.unpriced = 0 or c.cost > 0 then c.cost end
    from jsonb_to_recordset(p_calls) c(service text, operation text, kind text, owner text, calls bigint, failures bigint,
      units_in bigint, units_out bigint, cost bigint, unpriced bigint)
    order by c.service, c.operation, c.kind, c.owner
    on conflict (day, service, operation, kind, owner) do update set calls = u.calls + excluded.calls, failures = u.failures + excluded.failures,
      units_in = u.units_in + excluded.units_in, units_out = u.units_out + excluded.units_out,
      unpriced_calls = u.unpriced_calls + excluded.unpriced_calls,
      cost_microdollars = case when u.cost_microdollars is null then excluded.cost_microdollars
        else u.cost_microdollars + coalesce(excluded.cost_microdollars, 0) end;
  insert into bellhand.usage_days as u (day, service, kind, calls, failures, units_in, units_out, unpriced_calls, cost_microdollars)
    select (bellhand.now() at time zone 'UTC')::date, c.service, c.kind, sum(c.calls), sum(c.failures), sum(c.units_in), sum(c.units_out), sum(c.unpriced),
      sum(c.cost) filter (where c.unpriced = 0 or c.cost > 0)
    from jsonb_to_recordset(p_calls) c(service text, kind text, calls bigint, failures bigint, units_in bigint, units_out bigint, cost bigint, unpriced bigint)
    group by c.service, c.kind order by c.service, c.kind
    on conflict (day, service, kind) do update set calls = u.calls + excluded.calls, failures = u.failures + excluded.failures,
      units_in = u.units_in + excluded.units_in, units_out = u.units_out + excluded.units_out, unpriced_calls = u.unpriced_calls + excluded.unpriced_calls,
      cost_microdollars = case when u.cost_microdollars is null then excluded.cost_microdollars
        else u.cost_microdollars + coalesce(excluded.cost_microdollars, 0) end;
  for h in select * from jsonb_array_elements(p_health) loop
    perform bellhand.service_fared(h);
  end loop;
  return true;
end $$;
