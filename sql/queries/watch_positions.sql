-- How many ready jobs of its lane stand before each of jobs $1 that is ready, null when more than 1000.
select p.id, p.ahead, bellhand.now() as as_of from bellhand.positions_of($1) p
