-- The canaries: which one is out in each lane, and how the last one fared.

-- One row a lane that somebody serves. `job` is the one that is out; it leaves neither a row in history nor a count.
create table bellhand.canaries (
  lane      smallint    primary key references bellhand.lanes,
  job       bigint,
  sent_at   timestamptz not null default bellhand.now(),   -- of the last one; the first goes out one interval later
  served_at timestamptz not null default bellhand.now(),   -- when a live worker last served the lane
  back_at   timestamptz,                                   -- when the last one that came back was settled
  roundtrip_seconds double precision                       -- of that one, from its INSERT to its settling
) with (fillfactor = 50);

select bellhand.allow('worker', 'select, insert, update, delete on bellhand.canaries');
