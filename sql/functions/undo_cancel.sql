-- Brings cancelled jobs back that waited, with their parents, their attempts and their place in time; which. Not those that others
-- depended on, who fell with them, nor one whose unique key another job has by now.
-- Guard: the rows in history are locked, so that a retry at the same time either finds its job gone or has taken it before; the unique
-- index decides about a key, and what it refuses stays in history. OFFSET 0 as in bulk_retry.sql.
create or replace function bellhand.undo_cancel(p_operation bigint, p_at timestamptz) returns bigint[] language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  theirs bigint[]; back bigint[]; paused bigint[];
begin
  theirs := array(select h.id from bellhand.operation_jobs w
    join bellhand.history h on h.id = w.job and h.epoch = w.epoch and h.state = 'cancelled' and h.finished_at = p_at
    where w.operation = p_operation and w.was ->> 'state' <> 'running' and not (w.was ->> 'parent')::boolean
    order by h.id for update of h);
  with placed as (
    insert into bellhand.jobs (id, key, kind, payload, priority, run_at, attempts_max, timeout_seconds, unique_key, owner, tags, depends_on,
        depends_policy, notify, source, created_at, epoch, attempts, crashes, worker, started_at, progress, error)
      overriding system value
      select h.id, h.key, h.kind, h.payload, h.priority, h.run_at, h.attempts_max, h.timeout_seconds, h.unique_key, h.owner, h.tags,
        case when w.was ->> 'state' <> 'pending' then h.depends_on end, h.depends_policy, h.notify, h.source, h.created_at, h.epoch + 1, h.attempts,
        h.crashes, h.worker, h.started_at, h.progress, w.was ->> 'error'
      from unnest(theirs) u(id)
        cross join lateral (select x.* from bellhand.history x where x.id = u.id and x.finished_at = p_at offset 0) h
        cross join lateral (select x.was from bellhand.operation_jobs x where x.operation = p_operation and x.job = u.id offset 0) w
      on conflict (kind, unique_key) where unique_key is not null do nothing
      returning id)
  select coalesce(array_agg(x.id order by x.id), '{}') into back from placed x;
  delete from bellhand.history h where h.finished_at = p_at and h.id = any (back);
  paused := array(select w.job from bellhand.operation_jobs w
    where w.operation = p_operation and w.job = any (back) and w.was ->> 'state' = 'paused');
  perform bellhand.take_out(i) from unnest(paused) i;
  update bellhand.jobs j set state = 'paused' where j.id = any (paused);
  return back;
end $$;
