-- Puts up to $2 parked jobs of kinds $1 back into the queue; SKIP LOCKED inside.
select bellhand.unpark($1, $2)
