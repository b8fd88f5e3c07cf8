-- Claims up to p_room ready jobs: takes them from the queue by position, writes one lease for them, and reads them.
--
-- The segments (arrays of one length, in the order to serve them) say where to look: a lane, a range of ranks and, for
-- a single rank, the position before which nothing can ever be visible again. The lanes (arrays of one length) say
-- what each may still give: p_modes 0 has no limit, 1 gives what the worker holds, 2 asks for slots or tokens under the
-- lane's row lock. The first p_oldest jobs are taken by age whatever their rank, so that none starves.
-- Guard: deleting a queue row decides whose the job is, and SKIP LOCKED passes by those that somebody else is taking out.
-- The job's own row is only read, so an operator's open transaction on one job holds up no claim.
--
-- The first row has a null id, the lease and the oldest transaction running at this look (so that a worker about to
-- sleep knows whether the look was late enough). A later row with a null id tells how many seconds a rate-limited lane
-- needs for its next token; on a job, wait_seconds is how long it was due.
-- No joins but hash joins of inputs of at most p_room rows: a plan cached while the tables were empty cannot go bad.
create or replace function bellhand.claim(
  p_worker uuid, p_generation integer, p_room integer, p_oldest integer,
  p_lanes smallint[], p_lows smallint[], p_highs smallint[], p_xids xid8[], p_ids bigint[],
  p_open smallint[], p_modes smallint[], p_held integer[], p_running integer[])
returns table (id bigint, epoch integer, lane smallint, rank smallint, kind text, payload text, key uuid, attempts smallint,
  crashes smallint, attempts_max smallint, timeout_seconds real, owner text, tags text, wait_seconds double precision, lease bigint, xmin xid8)
language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off set enable_nestloop = off
set enable_mergejoin = off set jit = off as $$
declare
  free integer[]; asked integer[]; most integer[]; need integer := p_room; part tid[]; found_tids tid[] := '{}'; by_age tid[];
  l record; n smallint; k integer; ours bigint[]; epochs integer[]; lanes smallint[]; ranks smallint[]; tokens float8;
begin
  xmin := pg_snapshot_xmin(pg_current_snapshot());
  -- A worker that was given up has lost its slots and its name; it hears of it with its next beat. And what was asked
  -- before it set right what it holds (hand_back_unknown waits for this lock) must not arrive after that. A beat does not wait
  -- for it: a claim that stands still before a locked table must not cost its worker the leases.
  perform from bellhand.workers w where w.id = p_worker and w.generation = p_generation for key share;
  if not found then
    return next;
    return;
  end if;

  -- What each lane may give.
  for k in 1 .. cardinality(p_open) loop
    n := p_open[k];
    if p_modes[k] = 0 then
      free[n] := p_room;
    elsif p_modes[k] = 1 then
      -- What the worker believes to hold, if it still does: it may have been given up and registered anew.
      free[n] := least(p_held[k], coalesce((select h.slots from bellhand.lane_holds h where h.lane = n and h.worker = p_worker), 0))
        - p_running[k];
    else
      select * into l from bellhand.lanes x where x.id = n for no key update;
      free[n] := case when l.paused then 0 else p_room end;
      if l.concurrency is not null then
        most[n] := greatest(0, l.concurrency
          - coalesce((select sum(h.slots) from bellhand.lane_holds h where h.lane = n and h.worker <> p_worker), 0)::integer);
        free[n] := least(free[n], most[n] - p_running[k]);
      end if;
      if l.rate_per_second is not null then
        tokens := bellhand.refilled(l.tokens, l.tokens_at, l.rate_burst, l.rate_per_second);
        free[n] := least(free[n], floor(tokens)::integer);
      end if;
    end if;
    free[n] := greatest(free[n], 0);
    asked[n] := free[n];
  end loop;

  -- By age first, then by rank.
  if p_oldest > 0 then
    for k in 1 .. cardinality(p_lanes) loop
      part := array(select q.ctid from bellhand.queue q
        where q.lane = p_lanes[k] and q.rank between p_lows[k] and p_highs[k] and (q.rank, q.xid, q.id) >= (p_lows[k], p_xids[k], p_ids[k])
        order by q.rank, q.xid, q.id limit least(p_oldest, free[p_lanes[k]]));
      found_tids := found_tids || part;
    end loop;
    if cardinality(found_tids) > 0 then
      -- No more of a lane than it may give, whatever the ranks they come from.
      by_age := array(select a.tid from (
        select q.ctid as tid, q.lane, q.xid, q.id, row_number() over (partition by q.lane order by q.xid, q.id) as nth
        from bellhand.queue q where q.ctid = any (found_tids)) a
        where a.nth <= free[a.lane] order by a.xid, a.id limit p_oldest);
      by_age := array(select q.ctid from bellhand.queue q where q.ctid = any (by_age) for update skip locked);
      with d as (delete from bellhand.queue q where q.ctid = any (by_age) returning q.id, q.epoch, q.lane, q.rank)
        select array_agg(d.id), array_agg(d.epoch), array_agg(d.lane), array_agg(d.rank) into ours, epochs, lanes, ranks from d;
      for k in 1 .. coalesce(cardinality(lanes), 0) loop
        free[lanes[k]] := free[lanes[k]] - 1;
      end loop;
      need := need - coalesce(cardinality(ours), 0);
      found_tids := '{}';
    end if;
  end if;
  for k in 1 .. cardinality(p_lanes) loop
    exit when need <= 0;
    n := p_lanes[k];
    continue when free[n] <= 0;
    if p_lows[k] = p_highs[k] then
      part := array(select q.ctid from bellhand.queue q
        where q.lane = n and q.rank = p_lows[k] and (q.xid, q.id) >= (p_xids[k], p_ids[k])
        order by q.rank, q.xid, q.id limit least(need, free[n]) for update skip locked);
    else
      part := array(select q.ctid from bellhand.queue q where q.lane = n and q.rank between p_lows[k] and p_highs[k]
        order by q.rank, q.xid, q.id limit least(need, free[n]) for update skip locked);
    end if;
    found_tids := found_tids || part;
    need := need - cardinality(part);
    free[n] := free[n] - cardinality(part);
  end loop;
  if cardinality(found_tids) > 0 then
    with d as (delete from bellhand.queue q where q.ctid = any (found_tids) returning q.id, q.epoch, q.lane, q.rank)
      select ours || array_agg(d.id), epochs || array_agg(d.epoch), lanes || array_agg(d.lane), ranks || array_agg(d.rank)
        into ours, epochs, lanes, ranks from d;
  end if;

  if ours is not null then
    insert into bellhand.leases (worker, ids, epochs) values (p_worker, ours, epochs) returning leases.id into lease;
  end if;
  return next;
  lease := null; xmin := null;

  -- Write down what limited lanes gave. A lane that gave less than it could has run dry: its slots go back.
  for k in 1 .. cardinality(p_open) loop
    n := p_open[k];
    continue when p_modes[k] = 0 or (p_modes[k] = 1 and free[n] = 0);
    perform bellhand.keep_slots(p_worker, n, p_running[k] + asked[n] - free[n], most[n], p_modes[k] = 2, asked[n] - free[n]);
    if p_modes[k] = 2 then
      lane := n;
      wait_seconds := (select (1 - bellhand.refilled(x.tokens, x.tokens_at, x.rate_burst, x.rate_per_second)) / x.rate_per_second
                       from bellhand.lanes x where x.id = n and x.rate_per_second is not null and not x.paused);
      if wait_seconds > 0 then return next; end if;
    end if;
  end loop;
  if ours is null then return; end if;

  return query
    select j.id, j.epoch, got.lane, got.rank, j.kind, j.payload::text, j.key, j.attempts, j.crashes, j.attempts_max, j.timeout_seconds,
      j.owner, j.tags::text, extract(epoch from bellhand.now() - j.run_at)::float8, null::bigint, null::xid8
    from bellhand.jobs j join unnest(ours, epochs, lanes, ranks) got(id, epoch, lane, rank) on got.id = j.id and got.epoch = j.epoch
    where j.id = any (ours);
end $$;
