-- Lets paused jobs go on where they stopped; how many.
create or replace function bellhand.bulk_resume(p_operation bigint, p_ids bigint[]) returns bigint language plpgsql as $$
declare
  paused bigint[];
begin
  perform from bellhand.jobs j where j.id = any (p_ids) order by j.id for update;
  paused := array(select j.id from bellhand.jobs j where j.id = any (p_ids) and j.state = 'paused');
  perform bellhand.let_go(paused);
  insert into bellhand.operation_jobs (operation, job, epoch, was)
    select p_operation, j.id, j.epoch, '{"state": "paused"}' from bellhand.jobs j where j.id = any (paused);
  insert into bellhand.events (type, job, kind, data)
    select 'resumed', j.id, j.kind, jsonb_build_object('operation', p_operation) from bellhand.jobs j where j.id = any (paused);
  return cardinality(paused);
end $$;
