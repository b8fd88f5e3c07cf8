-- Adds up what several workers counted of one minute, kind and outcome to one row of no worker, so that reading an hour takes as long
-- with a hundred workers as with one; whether more is left. Looks at the next p_minutes that have rows and are over for a minute: what comes later yet
-- stays beside, and counts all the same. One daemon at a time, as in group_failures.
create or replace function bellhand.gather_stats(p_minutes integer default 5) returns boolean language plpgsql
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set jit = off as $$
declare
  nobody constant uuid := '00000000-0000-0000-0000-000000000000';
  look bellhand.looks; first timestamptz; past timestamptz; settled timestamptz := date_trunc('minute', bellhand.now()) - interval '1 minute';
begin
  select * into look from bellhand.looks x where x.name = 'stats' for update skip locked;
  if not found then return false; end if;
  select min(s.minute) into first from bellhand.stats s where s.minute >= look.upto and s.minute < settled;
  if first is null then return false; end if;
  past := least(settled, first + p_minutes * interval '1 minute');
  -- Summed is what the delete returns, not what was seen before: a worker may add to its row until it is gone.
  with several as materialized (
    select s.minute, s.kind, s.outcome from bellhand.stats s where s.minute >= first and s.minute < past group by 1, 2, 3 having count(*) > 1),
  taken as (
    delete from bellhand.stats s using several x where (s.minute, s.kind, s.outcome) = (x.minute, x.kind, x.outcome) returning s.*)
  insert into bellhand.stats (minute, kind, outcome, worker, jobs, wait_seconds, run_seconds, histogram, waits)
    select t.minute, t.kind, t.outcome, nobody, sum(t.jobs), sum(t.wait_seconds), sum(t.run_seconds),
      array[sum(t.histogram[1]), sum(t.histogram[2]), sum(t.histogram[3]), sum(t.histogram[4]), sum(t.histogram[5]), sum(t.histogram[6]), sum(t.histogram[7]), sum(t.histogram[8]), sum(t.histogram[9]), sum(t.histogram[10]), sum(t.histogram[11]), sum(t.histogram[12]), sum(t.histogram[13]), sum(t.histogram[14]), sum(t.histogram[15]), sum(t.histogram[16]), sum(t.histogram[17])]::integer[],
      array[sum(t.waits[1]), sum(t.waits[2]), sum(t.waits[3]), sum(t.waits[4]), sum(t.waits[5]), sum(t.waits[6]), sum(t.waits[7]), sum(t.waits[8]), sum(t.waits[9]), sum(t.waits[10])]::integer[]
    from taken t group by 1, 2, 3;
  update bellhand.looks x set at = bellhand.now(), upto = past where x.name = 'stats';
  return past < settled;
end $$;
