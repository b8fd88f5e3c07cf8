-- How many ready jobs of its lane stand before each of jobs $1 that waits, null when more than 1000: one walk a lane, by position.
select w.id, n.ahead, bellhand.now() as as_of
from (select q.id, q.lane from bellhand.queue q where q.id = any ($1)) w
left join (
  select f.id, f.ahead from (select distinct q.lane from bellhand.queue q where q.id = any ($1)) l
  cross join lateral (
    select h.id, row_number() over () - 1 as ahead from (
      select r.id from bellhand.queue r where r.lane = l.lane order by r.lane, r.rank, r.xid, r.id limit 1001) h) f) n on n.id = w.id
