-- Locks the jobs that it can at once and puts the others back at the end of their rank: an operator's open
-- transaction on one job must not hold up the claim of all.
create or replace function bellhand.leave_locked(inout ours bigint[], inout epochs integer[], inout lanes smallint[], inout ranks smallint[])
language plpgsql as $$
declare
  free bigint[] := array(select j.id from bellhand.jobs j where j.id = any (ours) for no key update skip locked);
begin
  insert into bellhand.queue (lane, rank, epoch, id)
    select u.lane, u.rank, u.epoch, u.id from unnest(ours, epochs, lanes, ranks) u(id, epoch, lane, rank)
    join bellhand.jobs j on j.id = u.id where u.id <> all (free);
  select array_agg(u.id), array_agg(u.epoch), array_agg(u.lane), array_agg(u.rank) into ours, epochs, lanes, ranks
    from unnest(ours, epochs, lanes, ranks) u(id, epoch, lane, rank) where u.id = any (free);
end $$;
