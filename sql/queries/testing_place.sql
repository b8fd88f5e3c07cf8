-- Where job $1 stands in the queue; nothing when it is not ready.
select q.lane, q.rank, q.xid, q.id from bellhand.queue q where q.id = $1
