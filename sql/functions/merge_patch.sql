-- The JSON with a merge patch applied (RFC 7396): objects merge key by key, null takes a key away, all else replaces. No deeper than 100.
create or replace function bellhand.merge_patch(p_target jsonb, p_patch jsonb, p_depth integer default 1) returns jsonb
language plpgsql immutable parallel safe as $$
declare
  made jsonb := case when jsonb_typeof(p_target) = 'object' then p_target else '{}' end; one record;
begin
  if jsonb_typeof(p_patch) <> 'object' then return p_patch; end if;
  if p_depth > 100 then perform bellhand.refuse_value('payload', 'A change of it is nested no deeper than 100.', 'Name fewer levels.'); end if;
  for one in select p.key, p.value from jsonb_each(p_patch) p loop
    made := case when one.value = 'null' then made - one.key
      else made || jsonb_build_object(one.key, bellhand.merge_patch(made -> one.key, one.value, p_depth + 1)) end;
  end loop;
  return made;
end $$;
