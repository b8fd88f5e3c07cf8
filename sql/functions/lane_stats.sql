-- What every lane holds and how old its oldest due job is: reads positions and small tables only, never the jobs.
create or replace view bellhand.lane_stats as
  -- No index of theirs begins with the lane: one pass for all of them.
  with due_later as materialized (
    select s.lane, least(count(*), 100001) as jobs from (select x.lane from bellhand.scheduled x limit 1000001) s group by s.lane)
  select l.name as lane, l.paused, l.paused_reason, l.concurrency, l.rate_per_second,
    -- In the order of the index, or a lane that holds nothing would read all that the others hold.
    coalesce((select count(*) from (select from bellhand.queue q where q.lane = l.id order by q.lane, q.rank, q.xid, q.id limit 100001) n), 0) as pending,
    coalesce((select d.jobs from due_later d where d.lane = l.id), 0) as scheduled,
    coalesce((select count(*) from bellhand.parked p join bellhand.kinds k on k.name = p.kind where k.lane = l.id), 0) as parked,
    (select coalesce(sum(h.slots), 0) from bellhand.lane_holds h where h.lane = l.id) as slots_held,
    (select extract(epoch from bellhand.now() - min(j.run_at)) from bellhand.jobs j where j.id in (
       select heads.id from unnest(l.ranks || (-1)::smallint) r cross join lateral (
         select q.id from bellhand.queue q where q.lane = l.id and (q.rank = r or (r = -1 and q.rank <> all (l.ranks)))
         order by q.rank, q.xid, q.id limit 1) heads)) as oldest_due_seconds,
    l.paused_until
  from bellhand.lanes l;
select bellhand.allow(who, 'select on bellhand.lane_stats') from unnest(array['reader', 'worker']) who;
