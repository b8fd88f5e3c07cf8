-- Gives waiting jobs another priority: those in the queue go to the end of their new rank; how many. What runs keeps its own.
create or replace function bellhand.bulk_reprioritize(p_operation bigint, p_ids bigint[], p_priority smallint) returns bigint language plpgsql as $$
declare
  placed bigint[]; held bigint[];
begin
  perform from bellhand.jobs j where j.id = any (p_ids) order by j.id for update;
  placed := array(select j.id from bellhand.jobs j where j.id = any (p_ids) and case when j.state = 'pending' then bellhand.take_out(j.id) else false end);
  held := array(select j.id from bellhand.jobs j where j.id = any (p_ids) and j.state in ('blocked', 'paused'));
  insert into bellhand.operation_jobs (operation, job, epoch, was)
    select p_operation, j.id, j.epoch + (j.id = any (placed))::integer, jsonb_build_object('priority', j.priority)
    from bellhand.jobs j where j.id = any (placed || held);
  update bellhand.jobs j set priority = p_priority where j.id = any (placed || held);
  insert into bellhand.events (type, job, kind, data)
    select 'changed', j.id, j.kind, jsonb_build_object('priority', p_priority, 'operation', p_operation) from bellhand.jobs j where j.id = any (placed || held);
  perform bellhand.make_ready(placed);
  return cardinality(placed) + cardinality(held);
end $$;
