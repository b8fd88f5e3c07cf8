-- Makes a scheduled or retrying job ready at once; the row lock orders it against the promotion.
create or replace function bellhand.run_now(p_id bigint) returns text language plpgsql as $$
declare
  s text := (select j.state from bellhand.jobs j where j.id = p_id for update);
begin
  if s is null then
    s := (select h.state from bellhand.history h where h.id = p_id order by h.finished_at desc limit 1);
    if s is null then perform bellhand.no_such_job(p_id); end if;
  end if;
  if s <> 'pending' then perform bellhand.wrong_state(p_id, s, 'run_now'); end if;
  update bellhand.jobs set run_at = bellhand.now() where id = p_id and run_at > bellhand.now();
  if found then
    perform bellhand.make_ready(array[p_id]);
    insert into bellhand.events (type, job, kind) select 'run_now', j.id, j.kind from bellhand.jobs j where j.id = p_id;
  end if;
  return 'pending';
end $$;
