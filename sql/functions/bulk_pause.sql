-- Holds jobs: at once those that wait, at their next step those that run; how many.
create or replace function bellhand.bulk_pause(p_operation bigint, p_ids bigint[]) returns bigint language plpgsql as $$
declare
  waiting bigint[]; others bigint[];
begin
  perform from bellhand.jobs j where j.id = any (p_ids) order by j.id for update;
  waiting := array(select j.id from bellhand.jobs j
    where j.id = any (p_ids) and (j.state = 'blocked' or (j.state = 'pending' and bellhand.take_out(j.id))));
  others := array(select j.id from bellhand.jobs j where j.id = any (p_ids) and j.id <> all (waiting) and j.state = 'pending' and j.stop is null);
  insert into bellhand.operation_jobs (operation, job, epoch, was)
    select p_operation, j.id, j.epoch, jsonb_build_object('state', case when j.id = any (others) then 'running' else j.state end)
    from bellhand.jobs j where j.id = any (waiting || others);
  update bellhand.jobs j set state = 'paused' where j.id = any (waiting);
  insert into bellhand.events (type, job, kind, data)
    select 'paused', j.id, j.kind, jsonb_build_object('operation', p_operation) from bellhand.jobs j where j.id = any (waiting);
  if others <> '{}' then
    update bellhand.jobs j set stop = 'pause' where j.id = any (others);
    perform bellhand.call_workers();
  end if;
  return cardinality(waiting) + cardinality(others);
end $$;
