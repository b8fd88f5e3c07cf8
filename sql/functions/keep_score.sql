-- Judges what was foretold of jobs that started or are over, and foretells some of those that are there now: up to p_sample that run
-- and p_sample that wait. How many it judged. One daemon at a time, as in measure_runs.
create or replace function bellhand.keep_score(p_sample integer default 5) returns bigint language plpgsql
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
declare
  judged bigint;
begin
  perform from bellhand.looks x where x.name = 'score' and x.at < bellhand.now() - interval '10 seconds' for update skip locked;
  if not found then return 0; end if;
  update bellhand.looks x set at = bellhand.now() where x.name = 'score';
  update bellhand.eta_predictions p set started_at = r.claimed_at
    from bellhand.running r where r.id = p.job and r.epoch = p.epoch and p.started_at is null;
  with over as (
    delete from bellhand.eta_predictions p using bellhand.history h
      where h.finished_at >= (select min(x.at) from bellhand.eta_predictions x) and h.id = p.job and h.finished_at >= p.at
      returning p.*, h.state as became, h.finished_at as ended_at, case when h.epoch = p.epoch then h.started_at end as began_at),
  -- Two days later they make room for others; what should be over by then is late.
  overdue as (
    delete from bellhand.eta_predictions p where p.at < bellhand.now() - interval '2 days' and exists (select from bellhand.jobs j where j.id = p.job)
      returning p.*, 'late' as became, case when p.finishes_high < bellhand.now() then bellhand.now() end as ended_at, null::timestamptz as began_at),
  facts as (
    -- One that somebody stopped says nothing.
    select o.kind, v.* from (select * from over union all select * from overdue) o cross join lateral (values
      ('start', o.at, o.starts_low, o.starts_at, o.starts_high, coalesce(o.started_at, o.began_at)),
      ('finish', o.at, o.finishes_low, o.finishes_at, o.finishes_high, o.ended_at)) v(what, said_at, low, told, high, fact)
    where o.became <> 'cancelled' and v.told is not null and v.fact is not null)
  insert into bellhand.eta_scores as s (day, kind, what, judged, held, early, error_sum)
    select (f.fact at time zone 'UTC')::date, f.kind, f.what, count(*),
      -- A second is as near as anybody asks.
      count(*) filter (where f.fact between f.low - interval '1 second' and f.high + interval '1 second'),
      count(*) filter (where f.fact < f.low - interval '1 second'),
      sum(abs(extract(epoch from f.fact - f.told)) / greatest(1, extract(epoch from f.fact - f.said_at)))
    from facts f group by 1, 2, 3 order by 1, 2, 3
    on conflict (day, kind, what) do update set judged = s.judged + excluded.judged, held = s.held + excluded.held,
      early = s.early + excluded.early, error_sum = s.error_sum + excluded.error_sum;
  get diagnostics judged = row_count;
  delete from bellhand.eta_predictions p where p.at < bellhand.now() - interval '3 days';
  delete from bellhand.eta_scores s where s.day < (bellhand.now() at time zone 'UTC')::date - 30;
  perform bellhand.foretell(array(select r.id from bellhand.running r order by random() limit p_sample)
    || array(select q.id from bellhand.lanes l cross join lateral (
         select x.id from bellhand.queue x where x.lane = l.id order by x.lane, x.rank, x.xid, x.id limit 200) q order by random() limit p_sample));
  return judged;
end $$;
