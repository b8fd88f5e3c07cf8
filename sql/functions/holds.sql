-- Whether a job holds what is looked for inside of it: {"q": words in its error, and where "payload" is true in its payload, in any case;
-- "error": words in what everybody is shown of its error; "paths": {"a.b": "value of payload.a.b as text"}}. No index knows, so each job is looked at.
create or replace function bellhand.holds(p_payload jsonb, p_error text, p_inside jsonb) returns boolean language sql immutable parallel safe as $$
  select case
      when p_inside ->> 'q' is null then true
      when (p_inside -> 'payload')::boolean then strpos(lower(coalesce(p_error, '') || p_payload::text), lower(p_inside ->> 'q')) > 0
      else bellhand.says(p_error, p_inside ->> 'q')
    end
    and (p_inside ->> 'error' is null or bellhand.says(p_error, p_inside ->> 'error'))
    and not exists (select from jsonb_each_text(coalesce(p_inside -> 'paths', '{}')) u
      where p_payload #>> string_to_array(u.key, '.') is distinct from u.value)
$$;
