-- Lets paused jobs go on: back to their parents those that still wait for one, else ready; their rows are locked by the caller.
create or replace function bellhand.let_go(p_ids bigint[]) returns void language plpgsql as $$
declare
  blocked bigint[] := array(select distinct d.child from bellhand.dependencies d where d.child = any (p_ids));
begin
  update bellhand.jobs j set state = 'blocked' where j.id = any (blocked);
  perform bellhand.make_ready(array(select i from unnest(p_ids) i where i <> all (blocked)));
end $$;
