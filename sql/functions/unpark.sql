-- Puts parked jobs of the kinds in p_kinds (those a live worker handles) back into the queue, unless the kind is paused.
create or replace function bellhand.unpark(p_kinds text[], p_limit integer) returns bigint language plpgsql as $$
declare
  moved bigint;
begin
  with gone as (
    delete from bellhand.parked p where p.ctid = any (array(
      select x.ctid from bellhand.parked x join bellhand.kinds k on k.name = x.kind
      where x.kind = any (p_kinds) and not k.paused order by x.id limit p_limit for update of x skip locked))
    returning p.kind, p.id, p.epoch, p.rank),
  live as (
    select g.id, g.epoch, g.rank, j.run_at, k.lane from gone g join bellhand.kinds k on k.name = g.kind
    join bellhand.jobs j on j.id = g.id and j.epoch = g.epoch and j.state = 'pending'),
  later as (
    insert into bellhand.scheduled (run_at, id, epoch, lane, rank)
      select l.run_at, l.id, l.epoch, l.lane, l.rank from live l where l.run_at > bellhand.now()),
  placed as (
    insert into bellhand.queue (lane, rank, epoch, id)
      select l.lane, l.rank, l.epoch, l.id from live l where l.run_at <= bellhand.now() order by l.id)
  select count(*) into moved from live;
  if moved > 0 then perform bellhand.ring(); end if;
  return moved;
end $$;
