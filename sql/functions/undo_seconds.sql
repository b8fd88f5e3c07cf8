-- How long a bulk action can be undone: a retry begins nothing for hold_seconds (10), the others let go of what nothing has touched.
create or replace function bellhand.undo_seconds(p_action text, p_arguments jsonb) returns float8 language sql immutable
return case p_action when 'retry' then coalesce((p_arguments ->> 'hold_seconds')::float8, 10) else 3600 end;
