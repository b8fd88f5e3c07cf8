-- Enqueues the ticks $3 of schedule $1, expected at $2, due next at $4; each tick once ever.
select bellhand.fire_schedule($1, $2, $3, $4)
