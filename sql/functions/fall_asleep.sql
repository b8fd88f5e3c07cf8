-- Says that a worker sleeps for the next p_seconds, and returns a transaction id younger than that, and whether somebody's
-- flag was still up, so that every insert rang meanwhile.
-- Guard against lost wake-ups: a producer whose trigger still read "awake" has an older id, so once the oldest running
-- transaction is younger than the id returned, one more claim sees everything that will not ring.
create or replace function bellhand.fall_asleep(p_seconds double precision, out token bigint, out xid xid8, out was_up boolean)
language plpgsql as $$
declare
  now_ms bigint := extract(epoch from clock_timestamp()) * 1000; flag bigint := (select last_value from bellhand.asleep_until);
begin
  token := now_ms + p_seconds * 1000;
  was_up := flag > now_ms;
  perform setval('bellhand.asleep_until', greatest(token, flag));
  -- Only now, never earlier in this transaction: the order is the proof.
  xid := pg_current_xact_id();
end $$;
