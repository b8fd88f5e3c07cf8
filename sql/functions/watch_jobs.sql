-- Checks what new jobs ask to be told, and puts them on the list that settling and the look for late jobs go by; called by the
-- insert trigger for those that ask, or whose kind somebody wants to hear about when it is late. A job that is retried (its epoch is not
-- the first) is taken as it is: a channel that went away meanwhile must not keep it from running again.
create or replace function bellhand.watch_jobs(p_ids bigint[]) returns void language plpgsql
security definer set search_path = pg_catalog, pg_temp as $$
declare
  problem text;
begin
  select bellhand.notify_problem(j.kind, j.notify) into problem from bellhand.jobs j
    where j.id = any (p_ids) and j.epoch = 1 and bellhand.notify_problem(j.kind, j.notify) is not null limit 1;
  if found then
    raise exception using errcode = 'BH004', message = 'notify is not accepted', detail = problem,
      hint = 'For example [{"on": ["failed", "late"], "to": "ops", "late_seconds": 600}], where ops is a channel: see select * from bellhand.channel_status.';
  end if;
  insert into bellhand.watched as w (job, since, late_at)
    select j.id, j.run_at, j.run_at + least(own.seconds, subscribed.seconds) * interval '1 second'
    from bellhand.jobs j left join bellhand.kinds k on k.name = j.kind
      cross join lateral (select min((n ->> 'late_seconds')::float8) as seconds from jsonb_array_elements(j.notify) n) own
      cross join lateral (select min(s.late_seconds) as seconds from bellhand.subscriptions s
        where k.watched and 'late' = any (s.states) and j.kind like s.pattern) subscribed
    where j.id = any (p_ids) and j.kind not like 'notify.%'
    on conflict (job) do update set since = excluded.since, late_at = excluded.late_at;
end $$;
revoke execute on function bellhand.watch_jobs from public;
