-- How many ready jobs of its lane stand before each of jobs $1 that is ready, and how many there are, null when more than 1000.
select p.id, p.ahead, n.queue_length, bellhand.now() as as_of from bellhand.positions_of($1) p join bellhand.queue_lengths($1) n on n.id = p.id
