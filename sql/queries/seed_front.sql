-- Ids of the jobs that run, and of those next to run, best first, at most $1: what a call that processes jobs waits for.
select f.id from (
  (select r.id, -1 as rank, '0'::xid8 as xid from bellhand.running r order by r.id limit $1)
  union all
  (select h.id, h.rank, h.xid from bellhand.lanes l cross join lateral (
     select q.id, q.rank, q.xid from bellhand.queue q where q.lane = l.id and not l.paused order by q.lane, q.rank, q.xid, q.id limit $1) h)) f
order by f.rank, f.xid, f.id limit $1
