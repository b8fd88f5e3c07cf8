-- A match that a person makes, accepted at once, in place of what was merely proposed for the item; returns it. Raises where the
-- item or the target has a reviewed partner, by the unique indexes, or where the two are no pair of one project.
create or replace function bellhand_matching.match_by_hand(source_id bigint, target_id bigint, reviewer text default null)
returns bellhand_matching.matches language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  project bellhand_matching.projects;
  made bellhand_matching.matches;
begin
  select p.* into project from bellhand_matching.projects p
    join bellhand_matching.items s on s.project_id = p.id and s.side = 'source' and s.id = match_by_hand.source_id
    join bellhand_matching.items t on t.project_id = p.id and t.side = 'catalogue' and t.id = match_by_hand.target_id;
  if not found then
    raise exception 'items % and % are no source and catalogue item of one project', source_id, target_id;
  end if;
  delete from bellhand_matching.matches m
    where m.reviewed_at is null and (m.source_id = match_by_hand.source_id
      or project.one_to_one and m.target_id = match_by_hand.target_id);
  insert into bellhand_matching.matches as m
      (project_id, source_id, target_id, exclusive, confidence, method, status, reviewed_by, reviewed_at)
    values (project.id, match_by_hand.source_id, match_by_hand.target_id, project.one_to_one, 1, 'person', 'accepted', reviewer, bellhand.now())
    on conflict on constraint matches_source_id_target_id_key do update
      set status = 'accepted', method = 'person', confidence = 1, reviewed_by = excluded.reviewed_by,
        reviewed_at = greatest(excluded.reviewed_at, m.reviewed_at + interval '1 microsecond')
    returning m.* into made;
  return made;
end $$;
revoke execute on function bellhand_matching.match_by_hand from public;
select bellhand.allow('producer', 'execute on function bellhand_matching.match_by_hand');
select bellhand.allow('worker', 'execute on function bellhand_matching.match_by_hand');
