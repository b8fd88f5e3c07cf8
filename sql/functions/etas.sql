-- When jobs that are not over will start and finish: for each a band that is meant to hold nine times in ten, its middle, what it stands
-- on, how far to trust it (good: 100 runs measured, fair: 20, poor), and where nothing is known the reason. No row for a job that is over.
-- It is for the attempt at hand: a failure that is retried makes it later. Bounded, whatever the backlog (see docs/insight.md): a lane is
-- looked at once for all of its jobs, and its queue is walked once, no further than p_walk positions for all lanes together.
create or replace function bellhand.etas(p_ids bigint[], p_walk integer default 20000, p_depth integer default 3)
returns table (job bigint, state text, ahead bigint, starts_low timestamptz, starts_at timestamptz, starts_high timestamptz,
  finishes_low timestamptz, finishes_at timestamptz, finishes_high timestamptz, basis text, confidence text, reason text)
language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off set jit = off as $$
declare
  j record; o bellhand.outlook; w record; r record; t timestamptz := bellhand.now(); wait_low float8; wait_at float8; wait_high float8; due float8;
  lanes bigint; walk integer; before bigint; past_rank smallint; past_xid xid8; past_place bigint; parents_max integer;
begin
  if p_depth = 0 or cardinality(p_ids) = 0 then return; end if;
  select count(*) filter (where x.state = 'blocked'), count(distinct k.lane) into parents_max, lanes
    from bellhand.jobs x left join bellhand.kinds k on k.name = x.kind where x.id = any (p_ids);
  parents_max := greatest(1, 20 / greatest(1, parents_max / 10));
  walk := p_walk / greatest(1, lanes);
  for j in
    with running as materialized (select x.id, x.epoch, x.claimed_at from bellhand.running x where x.id = any (p_ids)),
    kin as materialized (
      select b.id, d.parent, d.n from bellhand.jobs b cross join lateral (
        select p.parent, count(*) over () as n from (
          select y.parent from bellhand.dependencies y where y.child = b.id order by y.parent limit parents_max + 1) p) d
      where b.id = any (p_ids) and b.state = 'blocked'),
    -- The last of its parents; unknown as soon as one of them is.
    latest as materialized (
      select k.id, max(e.finishes_low) as low, max(e.finishes_at) as at, max(e.finishes_high) as high,
        bool_or(e.finishes_at is null) or max(k.n) > parents_max as unknown
      from kin k join bellhand.etas(array(select distinct x.parent from kin x), p_walk, p_depth - 1) e on e.job = k.parent group by k.id)
    select x.id, x.kind, x.run_at, x.progress, x.stop, x.payload, run.claimed_at, k.name as known, k.paused, k.lane, k.estimate,
      coalesce(q.rank, (10 - x.priority)::smallint) as rank, coalesce(q.xid, '18446744073709551615') as xid,
      case when q.id is null then 9223372036854775807 else q.id end as place, q.id is not null as queued, l.low, l.at, l.high, l.unknown,
      bellhand.live_state(x.state, run.id is not null, x.attempts, x.snoozed, x.run_at) as state,
      exists (select from bellhand.workers v join bellhand.lanes n on n.id = k.lane
        where x.kind = any (v.kinds) and (v.lanes = '{}' or n.name = any (v.lanes)) and not v.draining) as handled
    from bellhand.jobs x left join running run on run.id = x.id and run.epoch = x.epoch and x.state = 'pending'
      left join bellhand.queue q on q.id = x.id left join bellhand.kinds k on k.name = x.kind left join latest l on l.id = x.id
    where x.id = any (p_ids)
    -- In the order of the queue; what is not in it stands behind all of its rank.
    order by k.lane, 12, 13, 14
  loop
    job := j.id; state := j.state; ahead := null; basis := null; confidence := null;
    starts_low := null; starts_at := null; starts_high := null; finishes_low := null; finishes_at := null; finishes_high := null;
    reason := case when state = 'paused' then 'it is paused' when state = 'running' and j.stop is not null then 'it was asked to ' || j.stop
      when state = 'running' then null when j.known is null then 'its kind is unknown' when j.paused then 'its kind is paused'
      when not j.handled then 'no live worker handles it'
      when state = 'blocked' and j.unknown is not false then 'it waits for other jobs, and when those will be done is not known' end;
    if reason is not null then return next; continue; end if;

    if state = 'running' then
      select * into r from bellhand.run_left(j.id, j.kind, j.progress, extract(epoch from t - j.claimed_at)::float8);
      wait_low := 0; wait_at := 0; wait_high := 0;
    else
      if o.lane is distinct from j.lane then
        o := bellhand.lane_outlook(j.lane);
        before := 0; past_rank := -1; past_xid := '0'; past_place := 0;
      end if;
      -- On from where the one before it stood.
      if before <= walk then
        select before + count(*) into before from (
          select from bellhand.queue q where q.lane = j.lane and (q.rank, q.xid, q.id) >= (past_rank, past_xid, past_place)
            and (q.rank, q.xid, q.id) < (j.rank, j.xid, j.place) order by q.lane, q.rank, q.xid, q.id limit walk + 1 - before) n;
        past_rank := j.rank; past_xid := j.xid; past_place := j.place;
      end if;
      ahead := case when j.queued and before <= walk then before end;
      reason := coalesce(o.reason, case when before > walk then format('more than %s jobs stand before it', to_char(walk, 'FM999,999,999')) end);
      if reason is null then
        select * into w from bellhand.start_wait(o, before);
        reason := w.reason;
      end if;
      if reason is not null then return next; continue; end if;
      if state = 'blocked' then
        wait_low := extract(epoch from j.low - t);
        wait_at := greatest(extract(epoch from j.at - t), w.at);
        wait_high := extract(epoch from j.high - t) + coalesce(w.high, 0);
      else
        due := greatest(0, extract(epoch from j.run_at - t));
        -- What stands there now is worked off until it is due.
        wait_low := greatest(due, w.low); wait_at := greatest(due, w.at); wait_high := case when due > 0 then greatest(due + 2, w.high + due / 10) else w.high end;
      end if;
      starts_low := t + make_interval(secs => wait_low); starts_at := t + make_interval(secs => wait_at); starts_high := t + make_interval(secs => wait_high);
      select * into r from bellhand.run_left(j.id, j.kind, j.progress, 0, (bellhand.estimate(j.estimate, j.payload) ->> 'steps')::float8);
      basis := w.basis;
    end if;
    if r.at is not null then
      finishes_at := t + make_interval(secs => wait_at + r.at);
      finishes_low := finishes_at - make_interval(secs => sqrt((wait_at - wait_low) ^ 2 + (r.at - r.low) ^ 2));
      finishes_high := finishes_at + make_interval(secs => sqrt((wait_high - wait_at) ^ 2 + (r.high - r.at) ^ 2));
      basis := concat_ws('; ', basis, r.basis);
      confidence := case when r.samples >= 100 then 'good' when r.samples >= 20 then 'fair' else 'poor' end;
    else
      reason := r.reason;
    end if;
    return next;
  end loop;
end $$;
