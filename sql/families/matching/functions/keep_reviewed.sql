-- What a person has decided about a match no run takes back: only another review changes it.
create or replace function bellhand_matching.keep_reviewed()
returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  -- A run that is forgotten takes its id along.
  if old.reviewed_at is not null and new.reviewed_at is not distinct from old.reviewed_at
     and to_jsonb(new) - 'run_id' is distinct from to_jsonb(old) - 'run_id' then
    raise exception 'match % was reviewed by % and is kept as it is', old.id, coalesce(old.reviewed_by, 'somebody')
      using hint = 'bellhand_matching.review() changes it.';
  end if;
  return new;
end $$;
revoke execute on function bellhand_matching.keep_reviewed from public;
create or replace trigger keep_reviewed before update on bellhand_matching.matches
  for each row execute function bellhand_matching.keep_reviewed();
