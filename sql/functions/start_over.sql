-- Runs a failed, cancelled or partly completed job again from its first step: what its steps kept is forgotten. Otherwise as retry.
create or replace function bellhand.start_over(p_id bigint) returns text language plpgsql as $$
declare
  said text := bellhand.retry(p_id);
begin
  delete from bellhand.steps s where s.job = p_id;
  update bellhand.jobs j set progress = null where j.id = p_id;
  insert into bellhand.events (type, job, kind) select 'started_over', j.id, j.kind from bellhand.jobs j where j.id = p_id;
  return said;
end $$;
