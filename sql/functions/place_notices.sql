-- Enqueues one delivery a notice: p_targets are channels or addresses, p_events what to tell (see job_event). People are spared
-- floods: beyond digest_max messages in digest_seconds, or after a digest went out in that time, notices wait for the next digest, one
-- job that is enqueued once. Nothing is counted under a lock, so workers that settle in the same moment may exceed digest_max by theirs.
create or replace function bellhand.place_notices(p_targets text[], p_events jsonb[]) returns void language plpgsql as $$
begin
  insert into bellhand.events (type, job, kind, data)
    select 'notification_lost', (u.event #>> '{data,id}')::bigint, u.event #>> '{data,kind}', jsonb_build_object('to', u.target,
        'error', 'the channel is gone, or no daemon delivers to it')
    from unnest(p_targets, p_events) u(target, event) left join bellhand.channels c on c.name = u.target
    where not exists (select from bellhand.kinds k where k.name = 'notify.' || coalesce(c.kind, case when position('@' in u.target) > 0 then 'email' end));
  with n as materialized (
    select u.target, u.event, u.ordinal, k.name as kind, k.priority, coalesce(c.digest_seconds, 300) as digest_seconds,
      case when c.kind = 'webhook' then null else coalesce(c.digest_max, 10) end as digest_max
    from unnest(p_targets, p_events) with ordinality u(target, event, ordinal) left join bellhand.channels c on c.name = u.target
      join bellhand.kinds k on k.name = 'notify.' || coalesce(c.kind, case when position('@' in u.target) > 0 then 'email' end)),
  room as (
    select t.target, t.digest_max - case when exists (select from bellhand.notices w where w.target = t.target and w.digest is null) then t.digest_max
        else (select coalesce(sum(case w.state when 'digest' then t.digest_max else 1 end), 0) from bellhand.notices w
              where w.target = t.target and w.digest = 0 and w.at > bellhand.now() - t.digest_seconds * interval '1 second') end as room
    from (select distinct n.target, n.digest_seconds, n.digest_max from n) t),
  placed as materialized (
    select n.*, coalesce(row_number() over (partition by n.target order by n.ordinal) > r.room, false) as waits from n join room r on r.target = n.target),
  kept as (
    insert into bellhand.notices (target, state, job, kind, error, digest)
      select p.target, split_part(p.event ->> 'type', '.', 2), (p.event #>> '{data,id}')::bigint, p.event #>> '{data,kind}',
        right(p.event #>> '{data,error}', 300), case when p.waits then null else 0 end
      from placed p where p.digest_max is not null order by p.ordinal),
  alone as (
    insert into bellhand.jobs (kind, payload, priority, owner, source, tags)
      select p.kind, jsonb_build_object('to', p.target, 'event', p.event), p.priority, p.event #>> '{data,owner}', 'notify',
        jsonb_strip_nulls(jsonb_build_object('to', p.target, 'about', p.event #> '{data,id}'))
      from placed p where not p.waits order by p.ordinal)
  insert into bellhand.jobs (kind, payload, priority, run_at, unique_key, source, tags)
    select distinct p.kind, jsonb_build_object('to', p.target, 'digest', true), p.priority,
      bellhand.now() + p.digest_seconds * interval '1 second', 'digest:' || p.target, 'notify', jsonb_build_object('to', p.target)
    from placed p where p.waits
      and not exists (select from bellhand.jobs j where j.kind = p.kind and j.unique_key = 'digest:' || p.target)
    order by 5
    on conflict (kind, unique_key) where unique_key is not null do nothing;
end $$;
