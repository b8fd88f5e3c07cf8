-- When one job that is not over will start and finish: what bellhand.etas says of it. No row for a job that is over.
create or replace function bellhand.eta(p_id bigint)
returns table (state text, ahead bigint, starts_low timestamptz, starts_at timestamptz, starts_high timestamptz,
  finishes_low timestamptz, finishes_at timestamptz, finishes_high timestamptz, basis text, confidence text, reason text)
language sql stable as $$
  select e.state, e.ahead, e.starts_low, e.starts_at, e.starts_high, e.finishes_low, e.finishes_at, e.finishes_high, e.basis, e.confidence, e.reason
  from bellhand.etas(array[p_id]) e
$$;
