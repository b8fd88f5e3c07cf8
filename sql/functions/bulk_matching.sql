-- The jobs that a filter names and that an action can reach, the first p_limit by id or, of those that are over, by when they ended.
-- Trouble is found by the index of trouble, a failure's jobs by their group, ids by their index; only waiting jobs are read through.
create or replace function bellhand.bulk_matching(p_filter jsonb, p_action text, p_limit integer)
returns table (id bigint, state text, kind text, finished_at timestamptz) language plpgsql stable
set plan_cache_mode = force_custom_plan set jit = off as $$
#variable_conflict use_column
declare
  states text[] := bellhand.bulk_states(p_action, p_filter);
  ids bigint[] := case when p_filter ? 'ids' then array(select distinct e::bigint from jsonb_array_elements_text(p_filter -> 'ids') e) end;
  wanted_kind text := p_filter ->> 'kind'; wanted_owner text := p_filter ->> 'owner'; wanted_lane text := p_filter ->> 'lane';
  wanted_tags jsonb := p_filter -> 'tags'; since timestamptz := p_filter ->> 'since'; until timestamptz := p_filter ->> 'until';
  failure text := p_filter ->> 'failure'; kinds text[];
begin
  if wanted_lane is not null then
    kinds := array(select k.name from bellhand.kinds k join bellhand.lanes l on l.id = k.lane where l.name = wanted_lane);
  end if;
  if p_action = 'retry' and failure is not null then
    return query
      select h.id, case when h.partial then 'partial' else h.state end, h.kind, h.finished_at
      from (select f.job, f.finished_at from bellhand.failure_jobs f where f.fingerprint = failure
          and (since is null or f.finished_at >= since) and (until is null or f.finished_at < until) order by f.finished_at) f
        join bellhand.history h on h.id = f.job and h.finished_at = f.finished_at
      where case when h.partial then 'partial' else h.state end = any (states)
        and (wanted_kind is null or h.kind = wanted_kind) and (wanted_owner is null or h.owner = wanted_owner)
        and (kinds is null or h.kind = any (kinds)) and (wanted_tags is null or h.tags @> wanted_tags)
        and (ids is null or h.id = any (ids))
      order by h.finished_at limit p_limit;
    return;
  elsif p_action = 'retry' then
    return query
      select h.id, case when h.partial then 'partial' else h.state end, h.kind, h.finished_at from bellhand.history h
      where (h.state <> 'completed' or h.partial) and case when h.partial then 'partial' else h.state end = any (states)
        and (wanted_kind is null or h.kind = wanted_kind) and (wanted_owner is null or h.owner = wanted_owner)
        and (kinds is null or h.kind = any (kinds)) and (wanted_tags is null or h.tags @> wanted_tags)
        and (since is null or h.finished_at >= since) and (until is null or h.finished_at < until)
        and (ids is null or h.id = any (ids))
      order by h.finished_at limit p_limit;
    return;
  end if;
  return query
    select a.id, a.state, a.kind, null::timestamptz from (
      select j.id, j.kind, bellhand.live_state(j.state, r.id is not null, j.attempts, j.snoozed, j.run_at) as state
        from bellhand.jobs j left join bellhand.running r on r.id = j.id and r.epoch = j.epoch and j.state = 'pending'
        where (ids is null or j.id = any (ids)) and (wanted_kind is null or j.kind = wanted_kind) and (wanted_owner is null or j.owner = wanted_owner)
          and (kinds is null or j.kind = any (kinds)) and (wanted_tags is null or j.tags @> wanted_tags)
          and (since is null or j.created_at >= since) and (until is null or j.created_at < until) and failure is null) a
    where a.state = any (states) order by a.id limit p_limit;
end $$;
