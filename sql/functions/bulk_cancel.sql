-- Cancels jobs that are not over: at once those that wait, at their next await those that run; how many.
create or replace function bellhand.bulk_cancel(p_operation bigint, p_ids bigint[], p_reason text) returns bigint language plpgsql as $$
declare
  waiting bigint[]; others bigint[];
begin
  perform from bellhand.jobs j where j.id = any (p_ids) order by j.id for update;
  waiting := array(select j.id from bellhand.jobs j
    where j.id = any (p_ids) and case when j.state = 'pending' then bellhand.take_out(j.id) else true end);
  others := array(select j.id from bellhand.jobs j where j.id = any (p_ids) and j.id <> all (waiting));
  insert into bellhand.operation_jobs (operation, job, epoch, was)
    select p_operation, j.id, j.epoch, jsonb_strip_nulls(jsonb_build_object('state', case when j.id = any (others) then 'running' else j.state end,
      'error', j.error, 'parent', exists (select from bellhand.dependencies d where d.parent = j.id)))
    from bellhand.jobs j where j.id = any (p_ids);
  if others <> '{}' then
    update bellhand.jobs j set stop = 'cancel' where j.id = any (others);
    insert into bellhand.events (type, job, kind, data)
      select 'cancel_asked', j.id, j.kind, jsonb_build_object('reason', p_reason, 'operation', p_operation) from bellhand.jobs j where j.id = any (others);
    perform bellhand.call_workers();
  end if;
  delete from bellhand.dependencies d where d.child = any (waiting);
  perform bellhand.finish(waiting, 'cancelled', coalesce(p_reason, 'cancelled'));
  return cardinality(waiting) + cardinality(others);
end $$;
