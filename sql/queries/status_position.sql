-- How many ready jobs of its lane stand before job $1, null when more than 1000; no row when it is not in the queue.
select bellhand.ahead(q.id) as ahead, bellhand.now() as as_of from bellhand.queue q where q.id = $1
