-- Lets a paused job go on where it stopped; the row lock orders it against the pause.
create or replace function bellhand.resume(p_id bigint) returns text language plpgsql as $$
declare
  j record;
begin
  select * into j from bellhand.jobs x where x.id = p_id for update;
  if not found then
    select * into j from bellhand.history h where h.id = p_id order by h.finished_at desc limit 1;
    if not found then perform bellhand.no_such_job(p_id); end if;
    perform bellhand.wrong_state(p_id, j.state, 'resume');
  end if;
  if j.stop = 'pause' then
    update bellhand.jobs set stop = null where id = p_id;
    return 'running';
  elsif j.state <> 'paused' then
    perform bellhand.wrong_state(p_id, (select a.state from bellhand.all_jobs a where a.id = p_id and a.finished_at is null), 'resume');
  end if;
  insert into bellhand.events (type, job, kind) values ('resumed', j.id, j.kind);
  if exists (select from bellhand.dependencies d where d.child = p_id) then
    update bellhand.jobs set state = 'blocked' where id = p_id;
    return 'blocked';
  end if;
  perform bellhand.make_ready(array[p_id]);
  return 'pending';
end $$;
