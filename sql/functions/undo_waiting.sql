-- Undoes a pause, a resume, a run_now or another priority for jobs that are as the operation left them; which. undo() holds their rows.
create or replace function bellhand.undo_waiting(p_operation bigint, p_action text, p_ids bigint[]) returns bigint[] language plpgsql as $$
declare
  waiting bigint[]; held bigint[];
begin
  if p_action = 'pause' then
    held := array(select j.id from bellhand.jobs j where j.id = any (p_ids) and j.state = 'pending' and j.stop = 'pause');
    update bellhand.jobs j set stop = null where j.id = any (held);
    waiting := array(select j.id from bellhand.jobs j where j.id = any (p_ids) and j.state = 'paused');
    perform bellhand.let_go(waiting);
    return waiting || held;
  end if;
  -- What a worker has is in no place to be taken out of.
  waiting := array(select j.id from bellhand.jobs j where j.id = any (p_ids) and case when j.state = 'pending' then bellhand.take_out(j.id) else false end);
  held := array(select j.id from bellhand.jobs j where j.id = any (p_ids) and j.state in ('blocked', 'paused'));
  if p_action = 'resume' then
    update bellhand.jobs j set state = 'paused' where j.id = any (waiting || held);
    return waiting || held;
  end if;
  update bellhand.jobs j set run_at = coalesce((w.was ->> 'run_at')::timestamptz, j.run_at), priority = coalesce((w.was ->> 'priority')::smallint, j.priority)
    from bellhand.operation_jobs w where w.operation = p_operation and w.job = j.id and j.id = any (waiting || held);
  perform bellhand.make_ready(waiting);
  return waiting || held;
end $$;
