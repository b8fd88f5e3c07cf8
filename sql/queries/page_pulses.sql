-- The pulse of each lane: how long the last canary took through it, and when it came back.
select l.name as lane, c.roundtrip_seconds, c.back_at from bellhand.canaries c join bellhand.lanes l on l.id = c.lane where c.back_at is not null
