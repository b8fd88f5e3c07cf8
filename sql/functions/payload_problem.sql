-- Says in one sentence where a payload breaks the published checks of its kind, or null. It knows the part of JSON
-- Schema that is cheap here: required and known keys, types, enums, bounds; the daemon checks the whole model again.
create or replace function bellhand.payload_problem(p_payload jsonb, p_checks jsonb) returns text
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
  c jsonb; v jsonb; key text; found text; size int;
begin
  if jsonb_typeof(p_payload) <> 'object' then
    return format('the payload must be an object, not %s', jsonb_typeof(p_payload));
  end if;
  for c in select jsonb_array_elements(p_checks) loop
    if c ? 'only' then
      key := (select k from jsonb_object_keys(p_payload) k where not c -> 'only' ? k limit 1);
      if key is not null then
        return format('unknown key %s; known are %s', to_json(key), c -> 'only');
      end if;
      continue;
    end if;
    key := c ->> 'key';
    v := p_payload -> key;
    if v is null then
      if (c ->> 'required')::boolean then return format('%s is missing', to_json(key)); end if;
      continue;
    end if;
    found := jsonb_typeof(v);
    if found = 'number' and c -> 'types' ? 'integer' and not c -> 'types' ? 'number' and (v #>> '{}')::numeric % 1 <> 0 then
      return format('%s must be a whole number, not %s', to_json(key), v);
    end if;
    if not (c -> 'types' ? found or (found = 'number' and c -> 'types' ? 'integer')) then
      return format('%s must be %s, not %s', to_json(key), translate(c ->> 'types', '[]"', ''), found);
    end if;
    if c ? 'enum' and not c -> 'enum' @> jsonb_build_array(v) then
      return format('%s must be one of %s', to_json(key), c -> 'enum');
    end if;
    if found = 'number' then
      if (v #>> '{}')::numeric < (c ->> 'minimum')::numeric then return format('%s must be at least %s', to_json(key), c ->> 'minimum'); end if;
      if (v #>> '{}')::numeric > (c ->> 'maximum')::numeric then return format('%s must be at most %s', to_json(key), c ->> 'maximum'); end if;
    elsif found in ('string', 'array') then
      size := case found when 'string' then length(v #>> '{}') else jsonb_array_length(v) end;
      if size < (c ->> 'size_min')::int then
        return format('%s must have at least %s %s', to_json(key), c ->> 'size_min', case found when 'string' then 'characters' else 'items' end);
      end if;
      if size > (c ->> 'size_max')::int then
        return format('%s must have at most %s %s', to_json(key), c ->> 'size_max', case found when 'string' then 'characters' else 'items' end);
      end if;
    end if;
  end loop;
  return null;
end $$;
