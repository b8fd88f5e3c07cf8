-- Which states of jobs an action reaches: those that the filter names, else the usual ones; refuses one that the action cannot do.
create or replace function bellhand.bulk_states(p_action text, p_filter jsonb) returns text[] language plpgsql immutable as $$
declare
  given jsonb := p_filter -> 'states';
  wanted text[] := array(select jsonb_array_elements_text(case jsonb_typeof(given) when 'array' then given when 'string' then jsonb_build_array(given) else '[]' end));
  can text[] := case p_action when 'retry' then '{failed,partial,cancelled}'
    when 'cancel' then '{pending,scheduled,retrying,blocked,paused,running}' when 'pause' then '{pending,scheduled,retrying,blocked,running}'
    when 'resume' then '{paused}' when 'run_now' then '{scheduled,retrying}' else '{pending,scheduled,retrying,blocked,paused}' end;
  odd text := (select w from unnest(wanted) w where w <> all (can) limit 1);
begin
  if odd is not null then
    raise exception using errcode = 'BH004', message = format('a job that is %s cannot be told to %s', odd, p_action),
      detail = format('%s reaches jobs that are %s.', p_action, array_to_string(can, ', ')), hint = 'Leave the states out for the usual ones.';
  end if;
  -- What runs, and what somebody cancelled, is reached only by who names it.
  return case when wanted <> '{}' then wanted when p_filter ? 'ids' then can else array_remove(case when p_action = 'retry' then array_remove(can, 'cancelled') else can end, 'running') end;
end $$;
