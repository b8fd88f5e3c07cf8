-- Runs jobs that are over again, those that ended at p_moments, none before p_hold_seconds have passed; how many. Left alone are those
-- whose unique key another job has, and those that could not be inserted today: their kind is gone, their payload does not fit any more.
-- Guard: the rows in history are locked, so that of two who retry one finds them gone; the unique index decides about a job that comes meanwhile.
create or replace function bellhand.bulk_retry(p_operation bigint, p_ids bigint[], p_moments timestamptz[], p_hold_seconds float8) returns bigint
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  fit bigint[]; moments timestamptz[]; back bigint[];
begin
  -- Of several with one key the last. OFFSET 0: each is looked up by its index, whatever the planner thinks of arrays; as a join, all of
  -- history is read for each of them.
  select array_agg(x.id), array_agg(x.finished_at) into fit, moments from (
    select distinct on (h.kind, coalesce(h.unique_key, h.id::text), h.unique_key is null) h.id, h.finished_at
    from unnest(p_ids, p_moments) u(id, finished_at)
      cross join lateral (select x.* from bellhand.history x where x.id = u.id and x.finished_at = u.finished_at offset 0) h
      join bellhand.kinds k on k.name = h.kind
    where (k.checks is null or bellhand.payload_problem(h.payload, k.checks) is null)
      and not exists (select from bellhand.jobs j where j.id = h.id offset 0)
      and (h.unique_key is null or not exists (select from bellhand.jobs j where j.kind = h.kind and j.unique_key = h.unique_key))
    order by h.kind, coalesce(h.unique_key, h.id::text), h.unique_key is null, h.finished_at desc, h.id desc) x;
  insert into bellhand.jobs (id, key, kind, payload, priority, run_at, attempts_max, timeout_seconds, unique_key, owner, tags,
      depends_policy, notify, source, created_at, epoch, progress, error)
    overriding system value
    select h.id, h.key, h.kind, h.payload, h.priority, bellhand.now() + make_interval(secs => p_hold_seconds), h.attempts_max, h.timeout_seconds,
      h.unique_key, h.owner, h.tags, h.depends_policy, h.notify, h.source, h.created_at, h.epoch + 1, h.progress, h.error
    from (select x.* from unnest(fit, moments) u(id, finished_at) join bellhand.history x on x.id = u.id and x.finished_at = u.finished_at
      order by x.id for update of x) h
    on conflict (kind, unique_key) where unique_key is not null do nothing;
  with gone as (
    delete from bellhand.history h using unnest(fit, moments) u(id, finished_at)
      where h.id = u.id and h.finished_at = u.finished_at
        and exists (select from bellhand.jobs j where j.id = u.id offset 0) returning h.*),
  told as (
    insert into bellhand.events (type, job, kind, data)
      select 'retried', g.id, g.kind, jsonb_build_object('was', g.state, 'operation', p_operation) from gone g),
  kept as (
    insert into bellhand.operation_jobs (operation, job, epoch, was)
      select p_operation, g.id, g.epoch + 1, jsonb_build_object('state', g.state, 'partial', g.partial, 'attempts', g.attempts, 'crashes', g.crashes,
        'worker', g.worker, 'started_at', g.started_at, 'finished_at', g.finished_at, 'run_at', g.run_at, 'epoch', g.epoch, 'result', g.result,
        'depends_on', to_jsonb(g.depends_on)) from gone g
      returning job)
  select coalesce(array_agg(k.job), '{}') into back from kept k;
  update bellhand.steps s set for_good = false where s.job = any (back) and s.for_good;   -- as retry.sql does
  return cardinality(back);
end $$;
