-- What runs in a lane, at most p_limit jobs, each with its kind and for how many seconds: reads leases, then jobs by their id.
create or replace function bellhand.running_in(p_lane smallint, p_limit integer)
returns table (id bigint, kind text, worker uuid, seconds float8, progress jsonb) language sql stable
set enable_hashjoin = off set enable_mergejoin = off set jit = off as $$
  select j.id, j.kind, r.worker, extract(epoch from bellhand.now() - r.claimed_at)::float8, j.progress
  from bellhand.running r join bellhand.jobs j on j.id = r.id and j.epoch = r.epoch join bellhand.kinds k on k.name = j.kind
  where k.lane = p_lane limit p_limit
$$;
