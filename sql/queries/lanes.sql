-- The lanes and their limits; a small table, read on start, on a call and with every beat.
select id, name, concurrency, rate_per_second, ranks, paused from bellhand.lanes
