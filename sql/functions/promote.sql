-- Moves up to p_limit jobs whose time has come to the queue, and says how long until the next is due (null: none).
-- p_after skips the dead index entries of jobs promoted before; since a commit can land behind it, callers pass
-- null now and then for a full look. Rows are taken with SKIP LOCKED: any number of daemons may promote.
create or replace function bellhand.promote(p_limit integer, p_after timestamptz, out moved bigint, out next_seconds float8, out upto timestamptz)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set jit = off as $$
declare
  due tid[];
begin
  due := array(select s.ctid from bellhand.scheduled s
    where s.run_at <= bellhand.now() and s.run_at >= coalesce(p_after, '-infinity') order by s.run_at limit p_limit for update skip locked);
  with gone as (delete from bellhand.scheduled s where s.ctid = any (due) returning s.run_at, s.lane, s.rank, s.epoch, s.id),
  placed as (
    insert into bellhand.queue (lane, rank, epoch, id) select g.lane, g.rank, g.epoch, g.id from gone g order by g.run_at, g.id returning 1)
  select count(*) into moved from placed;
  upto := bellhand.now();
  select extract(epoch from s.run_at - upto) into next_seconds from bellhand.scheduled s
    where s.run_at >= coalesce(p_after, '-infinity') order by s.run_at limit 1;
  if moved > 0 then perform bellhand.ring(); end if;
end $$;
