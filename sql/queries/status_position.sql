-- How many ready jobs of its lane stand before job $1, null when more than 1000; no row when it is not in the queue.
select bellhand.ahead(j.id) as ahead, bellhand.now() as as_of
from bellhand.jobs j
where j.id = $1 and j.state = 'pending' and j.run_at <= bellhand.now()
  and not exists (select from bellhand.parked p where p.kind = j.kind and p.id = j.id and p.epoch = j.epoch)
