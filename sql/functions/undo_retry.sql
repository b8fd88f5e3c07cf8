-- Puts retried jobs that have not begun back into history as they were; which. undo() holds their rows. OFFSET 0 as in bulk_retry.sql.
create or replace function bellhand.undo_retry(p_operation bigint, p_ids bigint[]) returns bigint[] language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  back bigint[];
begin
  back := array(select j.id from bellhand.jobs j
    where j.id = any (p_ids) and case when j.state = 'pending' then bellhand.take_out(j.id) else false end);
  delete from bellhand.watched w where w.job = any (back);
  with gone as (delete from bellhand.jobs j where j.id = any (back) returning j.*)
  insert into bellhand.history (id, key, kind, payload, priority, run_at, attempts_max, timeout_seconds, unique_key, owner, tags,
      depends_on, depends_policy, notify, source, created_at, state, epoch, attempts, crashes, worker, started_at, progress,
      error, partial, result, finished_at)
    select g.id, g.key, g.kind, g.payload, g.priority, h.run_at, g.attempts_max, g.timeout_seconds, g.unique_key, g.owner, g.tags,
      h.depends_on, g.depends_policy, g.notify, g.source, g.created_at, h.state, h.epoch, h.attempts, h.crashes, h.worker, h.started_at, g.progress,
      g.error, h.partial, nullif(h.result, 'null'), h.finished_at
    from gone g cross join lateral (select x.was from bellhand.operation_jobs x where x.operation = p_operation and x.job = g.id offset 0) w
      cross join lateral jsonb_populate_record(null::bellhand.history, w.was) h;
  return back;
end $$;
