-- Makes jobs ready whose time has not come; how many.
create or replace function bellhand.bulk_run_now(p_operation bigint, p_ids bigint[]) returns bigint language plpgsql as $$
declare
  early bigint[];
begin
  perform from bellhand.jobs j where j.id = any (p_ids) order by j.id for update;
  early := array(select j.id from bellhand.jobs j
    where j.id = any (p_ids) and case when j.state = 'pending' and j.run_at > bellhand.now() then bellhand.take_out(j.id) else false end);
  insert into bellhand.operation_jobs (operation, job, epoch, was)
    select p_operation, j.id, j.epoch + 1, jsonb_build_object('run_at', j.run_at) from bellhand.jobs j where j.id = any (early);
  update bellhand.jobs j set run_at = bellhand.now() where j.id = any (early);
  perform bellhand.make_ready(early);
  insert into bellhand.events (type, job, kind, data)
    select 'run_now', j.id, j.kind, jsonb_build_object('operation', p_operation) from bellhand.jobs j where j.id = any (early);
  return cardinality(early);
end $$;
