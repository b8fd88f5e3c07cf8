-- What would become of a job if it were enqueued now, and nothing is stored: it is enqueued, so that whatever an INSERT would refuse is
-- refused in the same words, asked for its place and its times, and taken back. With a unique key that a live job has, that one's.
-- `estimate` is what the kind's own function says of the payload, `lane_adds_seconds` by how much later those behind it start.
create or replace function bellhand.quote(
  kind text, payload jsonb default '{}', unique_key text default null, run_at timestamptz default null, priority integer default null,
  attempts_max integer default null, timeout_seconds float8 default null, tags jsonb default null, owner text default null,
  depends_on bigint[] default null, depends_policy text default 'cancel', notify jsonb default null)
returns jsonb language plpgsql security definer set search_path = pg_catalog, pg_temp set jit = off as $$
#variable_conflict use_column
declare
  made record; e record; k record; delayed float8; twin bigint;
begin
  begin
    select x.* into made from bellhand.enqueue(kind => quote.kind, payload => quote.payload, unique_key => quote.unique_key, run_at => quote.run_at,
      priority => quote.priority, attempts_max => quote.attempts_max, timeout_seconds => quote.timeout_seconds, tags => quote.tags,
      owner => quote.owner, depends_on => quote.depends_on, depends_policy => quote.depends_policy, notify => quote.notify, source => 'quote') x;
    select y.* into e from bellhand.eta(made.id) y;
    raise exception using errcode = 'BHQ00';
  exception when sqlstate 'BHQ00' then
    null;
  end;
  select x.name, x.paused, x.estimate, x.lane, l.name as lane_name, l.paused as lane_paused, (select count(*) from bellhand.workers w
      where x.name = any (w.kinds) and (w.lanes = '{}' or l.name = any (w.lanes)) and not w.draining) as workers into k
    from bellhand.kinds x join bellhand.lanes l on l.id = x.lane where x.name = quote.kind;
  -- The same work under way already, among what was enqueued last; told only to who may read payloads.
  if made.created and quote.unique_key is null and has_column_privilege(session_user, 'bellhand.jobs', 'payload', 'select') then
    select t.id into twin from (select j.id, j.kind, j.payload from bellhand.jobs j order by j.id desc limit 1000) t
      where t.kind = quote.kind and t.payload = quote.payload limit 1;
  end if;
  delayed := (select t.mean from bellhand.run_times t where t.kind = quote.kind and t.step = '') / greatest(1, bellhand.lane_slots(k.lane));
  return jsonb_build_object('kind', quote.kind, 'lane', k.lane_name, 'duplicate_of', case when not made.created then made.id end,
    'same_payload_as', twin, 'state', e.state, 'ahead', e.ahead,
    'eta', jsonb_build_object('starts_low', bellhand.rfc3339(e.starts_low), 'starts_at', bellhand.rfc3339(e.starts_at), 'starts_high', bellhand.rfc3339(e.starts_high), 'finishes_low', bellhand.rfc3339(e.finishes_low),
      'finishes_at', bellhand.rfc3339(e.finishes_at), 'finishes_high', bellhand.rfc3339(e.finishes_high), 'basis', e.basis, 'confidence', e.confidence, 'reason', e.reason),
    'lane_adds_seconds', delayed, 'estimate', bellhand.estimate(k.estimate, quote.payload),
    'warnings', to_jsonb(array_remove(array[case when k.name is null then 'unknown_kind' end, case when k.workers = 0 then 'no_worker' end,
      case when k.paused then 'kind_paused' end, case when k.lane_paused then 'lane_paused' end,
      case when not made.created then 'duplicate' when twin is not null then 'same_payload' end], null)));
end $$;
revoke execute on function bellhand.quote from public;
select bellhand.allow(who, 'execute on function bellhand.quote') from unnest(array['producer', 'worker']) who;
