-- Says why a job stands where it stands: the gates it waits at, the nearest first, each with what changes it.
create or replace function bellhand.why(p_id bigint) returns table (gate text, detail text, fix text) language plpgsql stable as $$
declare
  j bellhand.all_jobs; k bellhand.kinds; l bellhand.lanes;
begin
  select * into j from bellhand.all_jobs a where a.id = p_id order by a.finished_at nulls first limit 1;
  if not found then perform bellhand.no_such_job(p_id); end if;
  select * into k from bellhand.kinds x where x.name = j.kind;
  select * into l from bellhand.lanes x where x.id = k.lane;
  if j.state in ('completed', 'failed', 'cancelled') then
    return query select j.state, coalesce(right(j.error, 500), 'It is over since ' || j.finished_at),
      case when j.state <> 'completed' or j.partial then format('bellhand retry %s', p_id) end;
    return;
  end if;
  if j.state = 'running' then
    return query select 'running'::text, format('%s runs it since %s, attempt %s of %s%s', coalesce((select w.name from bellhand.workers w where w.id = j.worker), 'a lost worker'),
      j.started_at, j.attempts + 1, coalesce(j.attempts_max, 3), case when j.stop is not null then '; asked to ' || j.stop else '' end),
      format('bellhand cancel %s', p_id);
    return;
  end if;
  if j.state = 'paused' then
    return query select 'paused'::text, 'Somebody paused this job.'::text, format('bellhand resume %s', p_id);
  end if;
  return query select 'blocked'::text, format('It waits for job %s (%s, %s).', d.parent, p.kind, p.state), format('bellhand why %s', d.parent)
    from bellhand.dependencies d join bellhand.jobs p on p.id = d.parent where d.child = p_id order by d.parent limit 5;
  if j.run_at > bellhand.now() then
    return query select case when j.attempts > 0 then 'retrying' else 'scheduled' end, format('It is due at %s, in %s.%s', j.run_at, date_trunc('second', j.run_at - bellhand.now()),
      coalesce(' Last error: ' || right(j.error, 200), '')), format('bellhand run-now %s', p_id);
  end if;
  if k.name is null then
    return query select 'unknown_kind'::text, format('No daemon has published kind %s.', to_json(j.kind)), 'add its module to `modules` and start the daemon'::text;
  elsif k.paused then
    return query select 'kind_paused'::text, format('Kind %s is paused%s.', k.name, coalesce(': ' || k.paused_reason, '')), format('bellhand resume --kind %s', k.name);
  elsif not exists (select from bellhand.workers w where k.name = any (w.kinds) and (w.lanes = '{}' or l.name = any (w.lanes)) and not w.draining) then
    return query select 'no_worker'::text, format('No live worker handles %s in lane %s.', k.name, l.name), 'start a daemon: bellhand run'::text;
  end if;
  if l.paused then
    return query select 'lane_paused'::text, format('Lane %s is paused%s.', l.name, coalesce(': ' || l.paused_reason, '')), format('bellhand resume --lane %s', l.name);
  end if;
  if l.concurrency is not null and l.concurrency <= (select coalesce(sum(h.slots), 0) from bellhand.lane_holds h where h.lane = l.id) then
    return query select 'lane_full'::text, format('Lane %s allows %s at once, and all are taken.', l.name, l.concurrency),
      format('raise concurrency under [lanes.%s]', l.name);
  end if;
  if l.rate_per_second is not null and least(l.rate_burst, l.tokens + extract(epoch from bellhand.now() - l.tokens_at) * l.rate_per_second) < 1 then
    return query select 'lane_rate'::text, format('Lane %s starts %s jobs a second; the next token is not there yet.', l.name, l.rate_per_second),
      format('raise rate_per_second under [lanes.%s]', l.name);
  end if;
  if j.state in ('pending', 'retrying') and j.run_at <= bellhand.now() then
    return query select 'waiting'::text, format('%s ready jobs stand before it in its lane.', coalesce(bellhand.ahead(p_id)::text, 'More than 1000')),
      'raise its priority, or concurrency under [worker]'::text;
  end if;
end $$;
