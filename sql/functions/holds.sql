-- Whether a job holds what is looked for inside of it: {"q": words in its error, and where "payload" is true in its payload, in any case;
-- "paths": {"a.b": "value of payload.a.b as text"}}. No index knows, so each job is looked at.
create or replace function bellhand.holds(p_payload jsonb, p_error text, p_inside jsonb) returns boolean language sql immutable parallel safe
return (p_inside ->> 'q' is null or strpos(lower(coalesce(p_error, '') || case when (p_inside -> 'payload')::boolean then p_payload::text else '' end),
    lower(p_inside ->> 'q')) > 0)
  and not exists (select from jsonb_each_text(coalesce(p_inside -> 'paths', '{}')) u
    where p_payload #>> string_to_array(u.key, '.') is distinct from u.value);
