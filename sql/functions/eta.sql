-- When a job that is not over will start and finish: a band that is meant to hold nine times in ten, its middle, what it stands on,
-- how far to trust it (good: 100 runs measured, fair: 20, poor), and where nothing is known the reason. No row for a job that is over.
-- It is for the attempt at hand: a failure that is retried makes it later. Bounded, whatever the backlog (see docs/insight.md).
create or replace function bellhand.eta(p_id bigint, p_depth integer default 3)
returns table (state text, ahead bigint, starts_low timestamptz, starts_at timestamptz, starts_high timestamptz,
  finishes_low timestamptz, finishes_at timestamptz, finishes_high timestamptz, basis text, confidence text, reason text)
language plpgsql stable set jit = off as $$
declare
  j record; k record; r record; w record; p record; wait_low float8; wait_at float8; wait_high float8; due float8; t timestamptz := bellhand.now(); units float8;
begin
  select x.id, x.kind, x.state, x.run_at, x.attempts, x.priority, x.progress, x.stop, x.payload, run.claimed_at, q.xid, q.rank into j from bellhand.jobs x
    left join bellhand.running run on run.id = x.id and run.epoch = x.epoch and x.state = 'pending'
    left join bellhand.queue q on q.id = x.id where x.id = p_id;
  if not found then return; end if;
  state := case when j.state <> 'pending' then j.state when j.claimed_at is not null then 'running' when j.attempts > 0 then 'retrying'
    when j.run_at > t then 'scheduled' else 'pending' end;
  select x.*, l.name as lane_name, exists (select from bellhand.workers v
      where x.name = any (v.kinds) and (v.lanes = '{}' or l.name = any (v.lanes)) and not v.draining) as handled into k
    from bellhand.kinds x join bellhand.lanes l on l.id = x.lane where x.name = j.kind;
  reason := case when state = 'paused' then 'it is paused' when state = 'running' and j.stop is not null then 'it was asked to ' || j.stop
    when state = 'running' then null when k.name is null then 'its kind is unknown' when k.paused then 'its kind is paused'
    when not k.handled then 'no live worker handles it' end;
  if reason is not null then return next; return; end if;

  if state = 'running' then
    select * into r from bellhand.run_left(j.id, j.kind, j.progress, extract(epoch from t - j.claimed_at)::float8);
    wait_low := 0; wait_at := 0; wait_high := 0;
  else
    if state = 'blocked' then
      -- The last of its parents.
      select max(e.finishes_low) as low, max(e.finishes_at) as at, max(e.finishes_high) as high, bool_or(e.finishes_at is null) as unknown, count(*) as n into p
        from (select d.parent from bellhand.dependencies d where d.child = p_id order by d.parent limit 20) d
        cross join lateral bellhand.eta(d.parent, p_depth - 1) e where p_depth > 0;
      if p.n = 0 or p.unknown then
        reason := 'it waits for other jobs, and when those will be done is not known';
        return next; return;
      end if;
      select * into w from bellhand.start_wait(k.lane, (10 - j.priority)::smallint, null, null);
      wait_low := extract(epoch from p.low - t); wait_at := extract(epoch from p.at - t); wait_high := extract(epoch from p.high - t);
      wait_at := greatest(wait_at, w.at); wait_high := wait_high + coalesce(w.high, 0);
    else
      select * into w from bellhand.start_wait(k.lane, (10 - j.priority)::smallint, j.xid, case when j.xid is not null then j.id end);
      ahead := case when j.xid is not null then w.ahead end;
      due := greatest(0, extract(epoch from j.run_at - t));
      -- What stands there now is worked off until it is due.
      wait_low := greatest(due, w.low); wait_at := greatest(due, w.at); wait_high := case when due > 0 then greatest(due + 2, w.high + due / 10) else w.high end;
    end if;
    if w.reason is not null then
      reason := w.reason;
      return next; return;
    end if;
    starts_low := t + make_interval(secs => wait_low); starts_at := t + make_interval(secs => wait_at); starts_high := t + make_interval(secs => wait_high);
    units := (bellhand.estimate(k.estimate, j.payload) ->> 'steps')::float8;
    select * into r from bellhand.run_left(j.id, j.kind, j.progress, 0, units);
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
end $$;
