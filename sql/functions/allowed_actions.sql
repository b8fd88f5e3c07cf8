-- What may be asked of a job, by its state as people name it.
create or replace function bellhand.allowed_actions(p_state text) returns text[] language sql immutable parallel safe
return case p_state
  when 'pending' then array['cancel', 'pause'] when 'blocked' then array['cancel', 'pause']
  when 'scheduled' then array['cancel', 'pause', 'run_now'] when 'retrying' then array['cancel', 'pause', 'run_now']
  when 'running' then array['cancel', 'pause'] when 'paused' then array['cancel', 'resume']
  when 'failed' then array['retry'] when 'cancelled' then array['retry'] when 'partial' then array['retry']
  else array[]::text[] end;
