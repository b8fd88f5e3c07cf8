-- How many seconds a job waits for its start from now on, as a band, with p_ahead others before it in a lane whose outlook is p_lane:
-- the work that those and what runs still need, over the lane's slots; where the lane has had a backlog for six minutes, the pace
-- that it was seen to drain at; never faster than its rate allows. Reads nothing.
create or replace function bellhand.start_wait(p_lane bellhand.outlook, p_ahead bigint,
  out low float8, out at float8, out high float8, out basis text, out reason text)
language plpgsql stable as $$
declare
  o bellhand.outlook := p_lane; before integer := least(p_ahead, cardinality(o.seconds)); need bigint; measured bigint; each_mean float8; still float8;
  mean float8; variance float8; paced float8;
begin
  reason := o.reason;
  if reason is not null then return; end if;
  need := p_ahead + 1 - greatest(0, o.slots - o.running);
  mean := 0.05; variance := 0.25; basis := 'a slot is free';
  if need > 0 then
    -- What stands before it, by a sample of the first.
    measured := coalesce(o.measured[before], 0);
    each_mean := o.seconds[before] / nullif(measured, 0);
    -- When its slot comes free the others are in the middle of something: mostly of what is long, where some are short and some long.
    still := (o.slots - 1) * coalesce(o.squares[before] / nullif(2 * o.seconds[before], 0), 0);
    mean := greatest(o.lefts[1], (o.left_seconds + p_ahead * coalesce(each_mean, 0) - still) / o.slots);
    if need <= o.running then mean := least(mean, o.lefts[need]); end if;
    variance := (o.left_variance + p_ahead * coalesce(o.variances[before] / nullif(measured, 0), 0)) / o.slots ^ 2
      + (0.3 * still / o.slots) ^ 2 + (0.1 * mean) ^ 2;
    basis := format('%s before it, %s running in %s', p_ahead, o.running, bellhand.counted(o.slots, 'slot'));
    if o.ended >= 10 then
      paced := need * 300.0 / o.ended;
      variance := (0.15 * paced) ^ 2 + need * (300.0 / o.ended) ^ 2 + (0.25 * (paced - mean)) ^ 2;
      mean := paced;
      basis := format('%s before it, %s ended in five minutes', p_ahead, o.ended);
    elsif p_ahead > 0 and measured = 0 then
      reason := 'nothing of what stands before it was ever measured';
      basis := null;
      return;
    end if;
  end if;
  if (p_ahead + 1 - o.tokens) / o.rate > mean then
    mean := (p_ahead + 1 - o.tokens) / o.rate;
    variance := (0.1 * mean) ^ 2 + 0.25;
    basis := format('%s before it, %s a second', p_ahead, o.rate);
  end if;
  select b.low, b.at, b.high into low, at, high from bellhand.band(mean, sqrt(variance)) b;
end $$;
