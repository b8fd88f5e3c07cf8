-- Makes a scheduled or retrying job ready at once; taking it out of its place orders it against the promotion.
create or replace function bellhand.run_now(p_id bigint) returns text language plpgsql as $$
declare
  s text;
begin
  perform from bellhand.jobs j where j.id = p_id for update;
  s := (select a.state from bellhand.all_jobs a where a.id = p_id order by a.finished_at desc nulls first limit 1);
  if s is null then perform bellhand.no_such_job(p_id); end if;
  if s not in ('pending', 'scheduled', 'retrying') then perform bellhand.wrong_state(p_id, s, 'run_now'); end if;
  if exists (select from bellhand.jobs j where j.id = p_id and j.run_at > bellhand.now()) and bellhand.take_out(p_id) then
    update bellhand.jobs set run_at = bellhand.now() where id = p_id;
    perform bellhand.make_ready(array[p_id]);
    insert into bellhand.events (type, job, kind) select 'run_now', j.id, j.kind from bellhand.jobs j where j.id = p_id;
  end if;
  return 'pending';
end $$;
