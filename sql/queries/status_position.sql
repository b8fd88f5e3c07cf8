-- How many ready jobs of its lane stand before job $1, and how many there are, null when more than 1000; no row when it is not in the queue.
select bellhand.ahead(q.id) as ahead, (select n.queue_length from bellhand.queue_lengths(array[q.id]) n) as queue_length, bellhand.now() as as_of
from bellhand.queue q where q.id = $1
