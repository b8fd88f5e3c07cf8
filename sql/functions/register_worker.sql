-- Enters a worker, so that its leases count as alive, and tells of it; again, when the answer to the first time got lost.
create or replace function bellhand.register_worker(
  p_id uuid, p_name text, p_host text, p_pid integer, p_version text, p_kinds text[], p_lanes text[], p_capacity integer)
returns void language sql as $$
  with entered as (
    insert into bellhand.workers (id, name, host, pid, version, kinds, lanes, capacity)
      values (p_id, p_name, p_host, p_pid, p_version, p_kinds, p_lanes, p_capacity)
      on conflict (id) do update set beat = bellhand.now() returning xmax = 0 as is_new)
  insert into bellhand.events (type, actor, data)
    select 'worker_started', p_name, jsonb_build_object('worker', p_name, 'host', p_host, 'pid', p_pid, 'version', p_version) from entered e where e.is_new
$$;
