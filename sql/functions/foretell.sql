-- Writes down what eta() says of jobs, to be judged when they are over; how many. A job is foretold once for each time it is placed, and
-- a kind at most 50 times an hour, and no more than 500 wait to be judged, so that keeping score stays cheap.
create or replace function bellhand.foretell(p_ids bigint[]) returns bigint language plpgsql as $$
declare
  n bigint;
begin
  insert into bellhand.eta_predictions (job, epoch, kind, starts_low, starts_at, starts_high, finishes_low, finishes_at, finishes_high, started_at)
    select j.id, j.epoch, j.kind, e.starts_low, e.starts_at, e.starts_high, e.finishes_low, e.finishes_at, e.finishes_high,
      case when e.state = 'running' then bellhand.now() end
    from bellhand.jobs j cross join lateral bellhand.eta(j.id) e
    where j.id = any (p_ids) and coalesce(e.starts_at, e.finishes_at) is not null
      and not exists (select from bellhand.eta_predictions x where x.job = j.id and x.epoch = j.epoch)
      and (select count(*) from (select from bellhand.eta_predictions x
        where x.kind = j.kind and x.at > bellhand.now() - interval '1 hour' limit 50) few) < 50
      and (select count(*) from bellhand.eta_predictions) < 500;
  get diagnostics n = row_count;
  return n;
end $$;
