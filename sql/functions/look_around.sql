-- What a worker must hear of now and then, in one statement: the lanes and their limits, the kinds that are paused, how
-- long until there is something to do by the clock: a cron tick, or the end of a lane's pause; on the way parked jobs that it can run are put back, and dependents of parents that
-- finished meanwhile are released (p_since and bound as in sweep_dependencies), who wants to know of late jobs is told, and pauses end.
create or replace function bellhand.look_around(p_kinds text[], p_since xid8,
  out lanes jsonb, out paused_kinds text[], out next_tick_seconds float8, out bound xid8, out unparked bigint)
language plpgsql as $$
begin
  if exists (select from bellhand.parked p where p.kind = any (p_kinds)) then
    unparked := bellhand.unpark(p_kinds, 10000);
  end if;
  bound := bellhand.sweep_dependencies(p_since);
  perform bellhand.tell_late();
  perform bellhand.keep_notices();
  -- Last: it may hold rows of lanes, which claims wait for.
  perform bellhand.end_pauses();
  select jsonb_agg(jsonb_build_object('id', l.id, 'name', l.name, 'concurrency', l.concurrency, 'rate_per_second', l.rate_per_second,
    'ranks', l.ranks, 'paused', l.paused) order by l.id) into lanes from bellhand.lanes l;
  paused_kinds := array(select k.name from bellhand.kinds k where k.paused);
  next_tick_seconds := (select extract(epoch from min(greatest(coalesce(s.next_at, bellhand.now()), s.again_at)) - bellhand.now())
                        from bellhand.schedules s where not s.paused);
  next_tick_seconds := least(next_tick_seconds, (select extract(epoch from min(l.paused_until) - bellhand.now()) from bellhand.lanes l where l.paused));
end $$;
