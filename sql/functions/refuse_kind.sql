-- Refuses a job of an unknown kind: names the nearest known kind and the command that publishes kinds.
-- Only the first hundred characters count, here and in the message: there is no longer kind.
create or replace function bellhand.refuse_kind(p_kind text) returns void language plpgsql stable
security definer set search_path = pg_catalog, pg_temp as $$
declare
  asked text := left(p_kind, 100);
  -- Trigrams by hand, so that no extension is needed: shared three-letter pieces decide which name is nearest.
  nearest text := (
    select k.name from bellhand.kinds k,
      lateral (select count(*) shared from generate_series(1, length(asked) - 2) g
               where position(substr(asked, g, 3) in k.name) > 0) s
    where s.shared > 0 order by s.shared desc, abs(length(k.name) - length(asked)), k.name limit 1);
begin
  raise exception using errcode = 'BH001', message = format('unknown kind %s', to_json(asked)),
    detail = case when exists (select from bellhand.kinds) then 'No daemon has published a handler of this name.'
                  else 'No daemon has published any kind to this database yet.' end,
    hint = coalesce('Did you mean ' || to_json(nearest)::text || '? ', '')
      || 'Add the module with the handler to `modules` and run "bellhand kinds publish", or start the daemon once; '
      || 'unknown_kinds = "hold" under [queue] lets such jobs wait instead.';
end $$;
