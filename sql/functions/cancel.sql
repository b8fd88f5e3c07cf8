-- Cancels a job: at once if it is not running ('cancelled'), else at its next await ('cancelling'). Once this commits,
-- no handler starts for it: its place was taken from the claims, and a failed attempt that was asked to stop is not retried.
create or replace function bellhand.cancel(p_id bigint, p_reason text default null) returns text language plpgsql as $$
declare
  s text := (select j.state from bellhand.jobs j where j.id = p_id for update);
begin
  if s = 'pending' and not bellhand.take_out(p_id) then
    update bellhand.jobs set stop = 'cancel' where id = p_id;
    insert into bellhand.events (type, job, kind, data)
      select 'cancel_asked', j.id, j.kind, jsonb_build_object('reason', p_reason) from bellhand.jobs j where j.id = p_id;
    perform bellhand.call_workers();
    return 'cancelling';
  elsif s is not null then
    delete from bellhand.dependencies d where d.child = p_id;
    perform bellhand.finish(array[p_id], 'cancelled', coalesce(p_reason, 'cancelled'));
    return 'cancelled';
  end if;
  s := (select h.state from bellhand.history h where h.id = p_id order by h.finished_at desc limit 1);
  if s is null then perform bellhand.no_such_job(p_id); end if;
  if s <> 'cancelled' then perform bellhand.wrong_state(p_id, s, 'cancel'); end if;
  return 'cancelled';
end $$;
