-- Enqueues the notifications about jobs that have just moved to history (p_ids, finished at p_at), in the same transaction.
-- `completed` hears of partly completed jobs too. Nobody is told about notifications (one that fails
-- would tell of itself for ever), nor about canaries.
-- A notification that cannot be written must not keep a job from ending: it becomes an event. What may pass is raised on.
create or replace function bellhand.tell_over(p_ids bigint[], p_at timestamptz) returns void language plpgsql as $$
declare
  targets text[]; events jsonb[];
begin
  delete from bellhand.watched w where w.job = any (p_ids);
  with h as materialized (
    select x.*, case when x.partial then 'partial' else x.state end as told
    from bellhand.history x where x.id = any (p_ids) and x.finished_at = p_at and x.kind not like 'notify.%' and x.kind <> 'bellhand.canary'),
  wishes as (
    select h.id, n ->> 'to' as target from h cross join lateral jsonb_array_elements(case jsonb_typeof(h.notify) when 'array' then h.notify end) n
      where n -> 'on' ? h.told or (h.partial and n -> 'on' ? 'completed')
    union
    select h.id, s.channel from h join bellhand.subscriptions s on h.kind like s.pattern
      and (h.told = any (s.states) or (h.partial and 'completed' = any (s.states))))
  select array_agg(w.target order by w.target, h.id), array_agg(bellhand.job_event(h.told, h.finished_at, h.id, h.key, h.kind, h.owner, h.tags,
      h.created_at, h.started_at, h.attempts, h.partial, h.result, h.error) order by w.target, h.id)
    into targets, events from wishes w join h on h.id = w.id;
  perform bellhand.send_notices(targets, events);
exception when others then
  if sqlstate ~ '^(40|53|55|57|58|XX)' then raise; end if;
  insert into bellhand.events (type, data) values ('notification_lost', jsonb_build_object('jobs', p_ids, 'error', sqlerrm));
end $$;
