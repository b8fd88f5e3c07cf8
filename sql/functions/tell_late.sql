-- Tells, once each, who wanted to know that a job is not over so many seconds after it should have run, and returns how many were
-- told. Guard: SKIP LOCKED, so that daemons that look at the same time share the work.
create or replace function bellhand.tell_late(p_limit integer default 1000) returns integer language plpgsql as $$
declare
  targets text[]; events jsonb[];
begin
  if not exists (select from bellhand.watched w where w.late_at <= bellhand.now()) then return 0; end if;
  with due as materialized (
    select w.job, w.since, w.late_at from bellhand.watched w where w.late_at <= bellhand.now() order by w.late_at limit p_limit
      for update skip locked),
  live as materialized (
    select d.since, d.late_at, j.* from due d join bellhand.jobs j on j.id = d.job),
  wishes as (
    select l.id, n ->> 'to' as target, l.since + (n ->> 'late_seconds')::float8 * interval '1 second' as at
      from live l cross join lateral jsonb_array_elements(case jsonb_typeof(l.notify) when 'array' then l.notify end) n where n -> 'on' ? 'late'
    union
    select l.id, s.channel, l.since + s.late_seconds * interval '1 second'
      from live l join bellhand.subscriptions s on 'late' = any (s.states) and l.kind like s.pattern),
  later as (
    update bellhand.watched w set late_at = (select min(x.at) from wishes x where x.id = w.job and x.at > bellhand.now())
      from due d where w.job = d.job and exists (select from live l where l.id = d.job)),
  gone as (
    delete from bellhand.watched w using due d where w.job = d.job and not exists (select from live l where l.id = d.job))
  select array_agg(w.target order by w.target, l.id), array_agg(bellhand.job_event('late', bellhand.now(), l.id, l.key, l.kind, l.owner, l.tags,
      l.created_at, l.started_at, l.attempts, null, null, l.error) order by w.target, l.id)
    into targets, events
    from wishes w join live l on l.id = w.id where w.at between l.late_at and bellhand.now();
  perform bellhand.send_notices(targets, events);
  return coalesce(cardinality(targets), 0);
exception when others then
  -- Those who look around must hear the rest; the next look tries again.
  raise warning 'late jobs could not be told: %', sqlerrm;
  return 0;
end $$;
