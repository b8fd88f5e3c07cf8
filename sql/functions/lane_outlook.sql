-- What start_wait.sql must know of a lane, once for however many wait in it: how long what runs still needs, what the first 200
-- that wait will take, the pace that a backlog was seen to drain at, and what the rate allows. Reads positions and jobs by id.
create or replace function bellhand.lane_outlook(p_lane smallint) returns bellhand.outlook language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off
set enable_mergejoin = off set jit = off as $$
declare
  l bellhand.lanes; o bellhand.outlook; head_seconds float8;
begin
  select * into l from bellhand.lanes x where x.id = p_lane;
  o.lane := p_lane;
  o.slots := bellhand.lane_slots(p_lane);
  o.reason := case when l.paused then 'its lane is paused' when o.slots = 0 then 'no worker serves its lane' end;
  if o.reason is not null then return o; end if;
  -- How long what runs still needs; what was never measured, or is longer than all, as long again as it ran.
  select count(*), array_agg(x.seconds order by x.seconds), coalesce(sum(x.seconds), 0), coalesce(sum(x.deviation ^ 2), 0)
    into o.running, o.lefts, o.left_seconds, o.left_variance
    from (select coalesce(m.mean, r.seconds) as seconds, coalesce(m.deviation, r.seconds) as deviation
      from bellhand.running_in(p_lane, 200) r left join bellhand.run_times t on t.kind = r.kind and t.step = ''
        left join lateral (select avg(v) - r.seconds as mean, stddev_pop(v) as deviation from unnest(t.quantiles) v where v > r.seconds) m on true) x;
  select array_agg(s.seconds order by s.n), array_agg(s.variance order by s.n), array_agg(s.square order by s.n), array_agg(s.measured order by s.n)
    into o.seconds, o.variances, o.squares, o.measured
    from (select q.n, sum(t.mean) over w as seconds, sum(t.deviation ^ 2) over w as variance, sum(t.mean ^ 2 + t.deviation ^ 2) over w as square,
        count(t.kind) over w as measured
      from (select x.id, row_number() over () as n from (
          select y.id from bellhand.queue y where y.lane = p_lane order by y.lane, y.rank, y.xid, y.id limit 200) x) q
        left join bellhand.jobs j on j.id = q.id left join bellhand.run_times t on t.kind = j.kind and t.step = ''
      window w as (order by q.n rows unbounded preceding)) s;
  -- Whose head has waited so long had work all the while.
  head_seconds := (select extract(epoch from bellhand.now() - j.run_at) from (
    select q.id from bellhand.queue q where q.lane = p_lane order by q.lane, q.rank, q.xid, q.id limit 1) q join bellhand.jobs j on j.id = q.id);
  if head_seconds > 360 then o.ended := bellhand.lane_pace(p_lane); end if;
  o.rate := l.rate_per_second;
  o.tokens := bellhand.refilled(l.tokens, l.tokens_at, l.rate_burst, l.rate_per_second);
  return o;
end $$;
