-- Gives the search at path $2 the name $1, for all who look, as actor $3; one of that name is changed. Written into the log.
with who as materialized (select set_config('bellhand.actor', $3, true) as actor),
made as (
  insert into bellhand.views as old (name, path, made_by) select $1, $2, w.actor from who w
    on conflict (name) do update set path = excluded.path, made_by = excluded.made_by, made_at = bellhand.now() returning old.name, old.path, old.made_by)
insert into bellhand.events (type, actor, data) select 'view_saved', m.made_by, jsonb_build_object('view', m.name, 'path', m.path) from made m
