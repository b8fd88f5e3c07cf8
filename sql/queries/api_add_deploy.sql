-- Adds a deploy of version $1 with note $2, at $3 (null: now), as actor $4, and writes it into the log.
with who as materialized (select set_config('bellhand.actor', $4, true) as actor),
made as (
  insert into bellhand.deploys (version, note, at, actor) select $1, $2, coalesce($3, bellhand.now()), w.actor from who w returning *),
told as (
  insert into bellhand.events (type, actor, data)
    select 'deploy_added', m.actor, jsonb_strip_nulls(jsonb_build_object('deploy', m.id, 'version', m.version, 'note', m.note)) from made m)
select m.id, m.at, m.version, m.code, m.note, m.actor from made m
