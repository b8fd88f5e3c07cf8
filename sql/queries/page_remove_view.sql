-- Removes the search named $1, as actor $2; written into the log.
with who as materialized (select set_config('bellhand.actor', $2, true) as actor),
gone as (delete from bellhand.views v where v.name = $1 returning v.name, v.path)
insert into bellhand.events (type, actor, data) select 'view_removed', w.actor, jsonb_build_object('view', g.name, 'path', g.path) from gone g cross join who w
