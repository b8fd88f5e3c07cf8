-- A person's word on a match: accepted, rejected, or locked, which only accepting it again unlocks; returns the match.
-- The row lock makes two reviewers take turns. Raises where a rejected one comes back and its place has been taken.
create or replace function bellhand_matching.review(match_id bigint, verdict text, reviewer text default null)
returns bellhand_matching.matches language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare found_match bellhand_matching.matches;
begin
  if verdict is null or verdict not in ('accepted', 'rejected', 'locked') then
    raise exception 'a match is accepted, rejected or locked, not %', coalesce(verdict, 'null');
  end if;
  select * into found_match from bellhand_matching.matches m where m.id = match_id for update;
  if not found then
    raise exception 'there is no match % in bellhand_matching.matches', match_id;
  end if;
  if found_match.status = 'locked' and verdict = 'rejected' then
    raise exception 'match % is locked', match_id using hint = 'Accept it first, which unlocks it; then reject it.';
  end if;
  update bellhand_matching.matches m
    set status = verdict, reviewed_by = reviewer, reviewed_at = greatest(bellhand.now(), m.reviewed_at + interval '1 microsecond')
    where m.id = match_id returning * into found_match;
  return found_match;
end $$;
revoke execute on function bellhand_matching.review from public;
select bellhand.allow('producer', 'execute on function bellhand_matching.review');
select bellhand.allow('worker', 'execute on function bellhand_matching.review');
