-- Brings cancelled jobs back that waited, with their parents, their attempts and their place in time; which. Not those that others
-- depended on, who fell with them, nor one whose unique key another job has by now.
create or replace function bellhand.undo_cancel(p_operation bigint, p_at timestamptz) returns bigint[] language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  back bigint[]; paused bigint[];
begin
  back := array(select h.id from bellhand.operation_jobs w
    join bellhand.history h on h.id = w.job and h.epoch = w.epoch and h.state = 'cancelled' and h.finished_at = p_at
    where w.operation = p_operation and w.was ->> 'state' <> 'running' and not (w.was ->> 'parent')::boolean
      and (h.unique_key is null or not exists (select from bellhand.jobs j where j.kind = h.kind and j.unique_key = h.unique_key)));
  with gone as (delete from bellhand.history h where h.finished_at = p_at and h.id = any (back) returning h.*)
  insert into bellhand.jobs (id, key, kind, payload, priority, run_at, attempts_max, timeout_seconds, unique_key, owner, tags, depends_on,
      depends_policy, notify, source, created_at, epoch, attempts, crashes, worker, started_at, progress, error)
    overriding system value
    select g.id, g.key, g.kind, g.payload, g.priority, g.run_at, g.attempts_max, g.timeout_seconds, g.unique_key, g.owner, g.tags,
      case when w.was ->> 'state' <> 'pending' then g.depends_on end, g.depends_policy, g.notify, g.source, g.created_at, g.epoch + 1, g.attempts,
      g.crashes, g.worker, g.started_at, g.progress, w.was ->> 'error'
    from gone g join bellhand.operation_jobs w on w.operation = p_operation and w.job = g.id;
  paused := array(select w.job from bellhand.operation_jobs w
    where w.operation = p_operation and w.job = any (back) and w.was ->> 'state' = 'paused');
  perform bellhand.take_out(i) from unnest(paused) i;
  update bellhand.jobs j set state = 'paused' where j.id = any (paused);
  return back;
end $$;
