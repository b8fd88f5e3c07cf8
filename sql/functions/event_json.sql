-- A row of the log, by its number, as readers get it; `lane` is that of the kind, or the one it is about.
create or replace function bellhand.event_json(p_seq bigint) returns json language sql stable as $$
  select json_build_object('seq', e.seq, 'at', bellhand.rfc3339(e.at), 'type', e.type,
    'job', e.job, 'kind', e.kind,
    'lane', coalesce((select l.name from bellhand.kinds k join bellhand.lanes l on l.id = k.lane where k.name = e.kind), e.data ->> 'lane'),
    'actor', e.actor, 'data', e.data)
  from bellhand.events e where e.seq = p_seq
$$;
