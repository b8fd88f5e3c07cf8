-- Makes jobs ready, or scheduled if their time lies ahead. The epoch goes up: whoever had them before writes nothing.
-- The caller has made sure that they wait nowhere, and nobody has them.
create or replace function bellhand.make_ready(p_ids bigint[]) returns bigint language plpgsql as $$
declare
  moved bigint; soon boolean;
begin
  if coalesce(cardinality(p_ids), 0) = 0 then return 0; end if;
  with ready as (
    update bellhand.jobs j set state = 'pending', epoch = j.epoch + 1
      where j.id = any (p_ids)
      returning j.id, j.epoch, j.kind, j.run_at, j.priority),
  placed as (
    select r.*, k.lane from ready r left join bellhand.kinds k on k.name = r.kind),
  unknown as (
    insert into bellhand.parked (kind, id, epoch, rank, reason)
      select kind, id, epoch, 10 - priority, 'unknown_kind' from placed where lane is null),
  later as (
    insert into bellhand.scheduled (run_at, id, epoch, lane, rank)
      select run_at, id, epoch, lane, 10 - priority from placed where lane is not null and run_at > bellhand.now()),
  now_ready as (
    insert into bellhand.queue (lane, rank, epoch, id)
      select lane, 10 - priority, epoch, id from placed where lane is not null and run_at <= bellhand.now() order by id)
  select count(*), bool_or(run_at > bellhand.now()) into moved, soon from ready;
  perform bellhand.ring(case when soon then 'soon' else '' end);
  return moved;
end $$;
