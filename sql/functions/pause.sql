-- Holds one job: at once if it is not running ('paused'), else at its next step, keeping what is done ('pausing').
create or replace function bellhand.pause(p_id bigint) returns text language plpgsql as $$
declare
  s text := (select j.state from bellhand.jobs j where j.id = p_id for update);
begin
  if s is null then
    s := (select h.state from bellhand.history h where h.id = p_id order by h.finished_at desc limit 1);
    if s is null then perform bellhand.no_such_job(p_id); end if;
    perform bellhand.wrong_state(p_id, s, 'pause');
  end if;
  if s = 'pending' and not bellhand.take_out(p_id) then
    update bellhand.jobs set stop = 'pause' where id = p_id and stop is null;
    perform bellhand.call_workers();
    return 'pausing';
  end if;
  if s <> 'paused' then
    update bellhand.jobs set state = 'paused' where id = p_id;
    insert into bellhand.events (type, job, kind) select 'paused', j.id, j.kind from bellhand.jobs j where j.id = p_id;
  end if;
  return 'paused';
end $$;
