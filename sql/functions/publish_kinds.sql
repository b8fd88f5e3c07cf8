-- Enters the kinds of a daemon ([{name, lane, priority, attempts_max, timeout_seconds, step_timeout_seconds, backoff_base_seconds,
-- backoff_max_seconds, side_effects, schema, checks, summary, estimate}]) into
-- the registry, with the lanes they name. Pauses that an operator set stay. Writes only what changed, so that daemons
-- starting together do not queue up behind each other's row locks.
create or replace function bellhand.publish_kinds(p_kinds jsonb) returns void language plpgsql as $$
begin
  insert into bellhand.lanes (name)
    select distinct k ->> 'lane' from jsonb_array_elements(p_kinds) k
    where not exists (select from bellhand.lanes l where l.name = k ->> 'lane') order by 1
    on conflict (name) do nothing;
  insert into bellhand.kinds as old (name, lane, priority, attempts_max, timeout_seconds, step_timeout_seconds, backoff_base_seconds, backoff_max_seconds,
      side_effects, schema, checks, summary, estimate)
    select k.name, l.id, k.priority, k.attempts_max, k.timeout_seconds, k.step_timeout_seconds, k.backoff_base_seconds, k.backoff_max_seconds,
      k.side_effects, k.schema, k.checks, k.summary, k.estimate
    from jsonb_to_recordset(p_kinds) k(name text, lane text, priority smallint, attempts_max smallint, timeout_seconds real, step_timeout_seconds real,
      backoff_base_seconds real, backoff_max_seconds real, side_effects text, schema jsonb, checks jsonb, summary text, estimate text)
    join bellhand.lanes l on l.name = k.lane order by k.name
    on conflict (name) do update set lane = excluded.lane, priority = excluded.priority, attempts_max = excluded.attempts_max,
      timeout_seconds = excluded.timeout_seconds, step_timeout_seconds = excluded.step_timeout_seconds, backoff_base_seconds = excluded.backoff_base_seconds,
      backoff_max_seconds = excluded.backoff_max_seconds, side_effects = excluded.side_effects, schema = excluded.schema, checks = excluded.checks,
      summary = excluded.summary, estimate = excluded.estimate, published_at = bellhand.now()
    where (old.lane, old.priority, old.attempts_max, old.timeout_seconds, old.step_timeout_seconds, old.backoff_base_seconds, old.backoff_max_seconds,
        old.side_effects, old.schema, old.checks, old.summary, old.estimate)
      is distinct from (excluded.lane, excluded.priority, excluded.attempts_max, excluded.timeout_seconds, excluded.step_timeout_seconds,
        excluded.backoff_base_seconds, excluded.backoff_max_seconds, excluded.side_effects, excluded.schema, excluded.checks, excluded.summary, excluded.estimate);
end $$;
