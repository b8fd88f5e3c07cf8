-- Says why a job stands where it stands: the gates it waits at, the nearest first, each with what changes it.
create or replace function bellhand.why(p_id bigint) returns table (gate text, detail text, fix text) language plpgsql stable set jit = off as $$
declare
  j bellhand.all_jobs; k bellhand.kinds; l bellhand.lanes; drained record;
begin
  select * into j from bellhand.all_jobs a where a.id = p_id order by a.finished_at nulls first limit 1;
  if not found then perform bellhand.no_such_job(p_id); end if;
  select * into k from bellhand.kinds x where x.name = j.kind;
  select * into l from bellhand.lanes x where x.id = k.lane;
  if j.state in ('completed', 'failed', 'cancelled') then
    return query select * from bellhand.why_over(j);
    return;
  elsif j.state = 'running' then
    return query select * from bellhand.why_running(j);
    return;
  elsif j.state = 'paused' then
    return query select 'paused'::text, coalesce((select format('%s paused it at %s.', e.actor, e.at) from bellhand.events e
      where e.job = p_id and e.type = 'paused' order by e.seq desc limit 1), 'Somebody paused this job.'), format('bellhand resume %s', p_id);
  end if;
  return query select 'blocked'::text, format('It waits for job %s (%s, %s).%s', d.parent, p.kind, p.state, bellhand.eta_words(d.parent)), format('bellhand why %s', d.parent)
    from bellhand.dependencies d cross join lateral (select a.kind, a.state from bellhand.all_jobs a where a.id = d.parent and a.finished_at is null) p
    where d.child = p_id order by d.parent limit 5;
  if j.run_at > bellhand.now() then
    return query select case when j.state = 'retrying' then j.state else 'scheduled' end, format('It is due at %s, in %s.%s', bellhand.utc_words(j.run_at), bellhand.for_people(extract(epoch from j.run_at - bellhand.now())::float8),
      coalesce(case j.state when 'retrying' then ' Last error: ' else ' Said last: ' end || right(j.error, 200), '')), format('bellhand run-now %s', p_id);
  end if;
  if k.name is null then
    return query select 'unknown_kind'::text, format('No daemon has published kind %s.', to_json(j.kind)), 'add its module to `modules` and start the daemon'::text;
  elsif k.paused then
    return query select 'kind_paused'::text, format('Kind %s is paused%s.', k.name, coalesce(': ' || k.paused_reason, '')), format('bellhand resume --kind %s', k.name);
  elsif not exists (select from bellhand.workers w where k.name = any (w.kinds) and (w.lanes = '{}' or l.name = any (w.lanes)) and not w.draining) then
    select string_agg(w.name || coalesce(format(' (%s)', w.drain_reason), ''), ', ' order by w.name) as told, min(w.name) as name into drained
      from bellhand.workers w where k.name = any (w.kinds) and (w.lanes = '{}' or l.name = any (w.lanes)) and w.drain_asked_at is not null;
    if drained.name is not null then
      return query select 'drained'::text, format('The workers that handle %s in lane %s are drained: %s.', k.name, l.name, drained.told), format('bellhand undrain %s', drained.name);
    else
      return query select 'no_worker'::text, format('No live worker handles %s in lane %s.', k.name, l.name), 'start a daemon: bellhand run'::text;
    end if;
  end if;
  if l.paused then
    return query select 'lane_paused'::text, format('Lane %s is paused%s%s.', l.name,
      coalesce(format(' until %s (for another %s)', bellhand.utc_words(l.paused_until), bellhand.for_people(extract(epoch from l.paused_until - bellhand.now())::float8)), ''), coalesce(': ' || l.paused_reason, '')), format('bellhand resume --lane %s', l.name);
  end if;
  if j.state in ('pending', 'retrying') and j.run_at <= bellhand.now() and not l.paused then
    return query select * from bellhand.why_lane(j, l);
  end if;
  -- Services that this kind used this week and that answer nobody now.
  return query select 'service'::text, format('%s %s', s.service, case when s.paused_reason is not null
        then format('waits: %s, for another %s', s.paused_reason, bellhand.for_people(s.paused_seconds))
        else format('is not asked after %s failures, for another %s', s.failures, bellhand.for_people(s.retry_seconds)) end),
      format('see to [services.%s] in the configuration', s.service)
    from bellhand.service_status s where (s.paused_reason is not null or s.breaker = 'open')
      and exists (select from bellhand.usage u where u.day > (bellhand.now() at time zone 'UTC')::date - 7 and u.service = s.service and u.kind = j.kind);
end $$;
