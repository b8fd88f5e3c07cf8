-- How many seconds a job of a lane waits for its start from now on, as a band, and behind how many others: the work that those and
-- what runs still need, over the lane's slots; where the lane has had a backlog for six minutes, the pace that it was seen to drain
-- at; never faster than its rate allows. p_xid null: behind everything of its rank and above. Counts at most 20,000 positions.
create or replace function bellhand.start_wait(p_lane smallint, p_rank smallint, p_xid xid8, p_id bigint,
  out ahead bigint, out low float8, out at float8, out high float8, out basis text, out reason text)
language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off set jit = off as $$
declare
  l bellhand.lanes; slots integer; running integer; lefts float8[]; left_seconds float8; left_variance float8; need bigint;
  each_mean float8; each_variance float8; each_square float8; still float8; measured bigint; mean float8; variance float8; head_seconds float8; ended bigint;
  paced float8; tokens float8;
begin
  select * into l from bellhand.lanes x where x.id = p_lane;
  select count(*) into ahead from (
    select from bellhand.queue q where q.lane = p_lane
      and (q.rank, q.xid, q.id) < (p_rank, coalesce(p_xid, '18446744073709551615'::xid8), coalesce(p_id, 9223372036854775807))
    order by q.lane, q.rank, q.xid, q.id limit 20001) n;
  slots := bellhand.lane_slots(p_lane);
  reason := case when l.paused then 'its lane is paused' when slots = 0 then 'no worker serves its lane'
    when ahead > 20000 then 'more than 20,000 jobs stand before it' end;
  if reason is not null then return; end if;
  -- How long what runs still needs; what was never measured, or is longer than all, as long again as it ran.
  select count(*), array_agg(x.seconds order by x.seconds), coalesce(sum(x.seconds), 0), coalesce(sum(x.deviation ^ 2), 0)
    into running, lefts, left_seconds, left_variance
    from (select coalesce(m.mean, r.seconds) as seconds, coalesce(m.deviation, r.seconds) as deviation
      from bellhand.running_in(p_lane, 200) r left join bellhand.run_times t on t.kind = r.kind and t.step = ''
        left join lateral (select avg(v) - r.seconds as mean, stddev_pop(v) as deviation from unnest(t.quantiles) v where v > r.seconds) m on true) x;
  need := ahead + 1 - greatest(0, slots - running);
  mean := 0.05; variance := 0.25; basis := 'a slot is free';
  if need > 0 then
    -- What stands before it, by a sample of the first.
    select avg(t.mean), avg(t.deviation ^ 2), avg(t.mean ^ 2 + t.deviation ^ 2), count(t.kind) into each_mean, each_variance, each_square, measured
      from (select q.id from bellhand.queue q where q.lane = p_lane
          and (q.rank, q.xid, q.id) < (p_rank, coalesce(p_xid, '18446744073709551615'::xid8), coalesce(p_id, 9223372036854775807))
        order by q.lane, q.rank, q.xid, q.id limit 200) q
      join bellhand.jobs j on j.id = q.id left join bellhand.run_times t on t.kind = j.kind and t.step = '';
    -- When its slot comes free the others are in the middle of something: mostly of what is long, where some are short and some long.
    still := (slots - 1) * coalesce(each_square / nullif(2 * each_mean, 0), 0);
    mean := greatest(lefts[1], (left_seconds + ahead * coalesce(each_mean, 0) - still) / slots);
    if need <= running then mean := least(mean, lefts[need]); end if;
    variance := (left_variance + ahead * coalesce(each_variance, 0)) / slots ^ 2 + (0.3 * still / slots) ^ 2 + (0.1 * mean) ^ 2;
    basis := format('%s before it, %s running in %s slots', ahead, running, slots);
    -- Whose head has waited so long had work all the while.
    head_seconds := (select extract(epoch from bellhand.now() - j.run_at) from (
      select q.id from bellhand.queue q where q.lane = p_lane order by q.lane, q.rank, q.xid, q.id limit 1) q join bellhand.jobs j on j.id = q.id);
    if head_seconds > 360 then ended := bellhand.lane_pace(p_lane); end if;
    if ended >= 10 then
      paced := need * 300.0 / ended;
      variance := (0.15 * paced) ^ 2 + need * (300.0 / ended) ^ 2 + (0.25 * (paced - mean)) ^ 2;
      mean := paced;
      basis := format('%s before it, %s ended in five minutes', ahead, ended);
    elsif ahead > 0 and measured = 0 then
      reason := 'nothing of what stands before it was ever measured';
      basis := null;
      return;
    end if;
  end if;
  if l.rate_per_second is not null then
    tokens := least(l.rate_burst, l.tokens + extract(epoch from bellhand.now() - l.tokens_at) * l.rate_per_second);
    if (ahead + 1 - tokens) / l.rate_per_second > mean then
      mean := (ahead + 1 - tokens) / l.rate_per_second;
      variance := (0.1 * mean) ^ 2 + 0.25;
      basis := format('%s before it, %s a second', ahead, l.rate_per_second);
    end if;
  end if;
  select b.low, b.at, b.high into low, at, high from bellhand.band(mean, sqrt(variance)) b;
end $$;
