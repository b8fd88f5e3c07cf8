-- Raises the error for an action that the state of a job does not allow, and names those that it does.
create or replace function bellhand.wrong_state(p_id bigint, p_state text, p_action text) returns void language plpgsql as $$
begin
  raise exception using errcode = 'BH007', message = format('job %s is %s and cannot be told to %s', p_id, p_state, p_action),
    detail = case when bellhand.allowed_actions(p_state) = '{}' then 'It is over, and nothing can be asked of it.'
      else format('A job that is %s allows: %s.', p_state, array_to_string(bellhand.allowed_actions(p_state), ', ')) end,
    hint = format('Look at it first: select * from bellhand.all_jobs where id = %s', p_id);
end $$;
