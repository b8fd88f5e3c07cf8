-- Proposes matches, best first, as [{source, target, confidence, evidence}], and notes their items as matched; returns the ids of
-- those items, or null if a later attempt has the run. A pair that was rejected, an item or a target that has a partner is left
-- alone: the unique indexes decide, also between two runs at once. Without evidence the candidate's is taken.
create or replace function bellhand_matching.save_matches(p_run bigint, p_epoch bigint, p_stage smallint, p_method text, p_matches jsonb)
returns bigint[] language plpgsql set search_path = pg_catalog, pg_temp as $$
declare saved bigint[];
begin
  perform from bellhand_matching.runs r where r.id = p_run and r.epoch = p_epoch for share;
  if not found then return null; end if;
  with given as (
    select m.* from jsonb_to_recordset(p_matches) as m(source bigint, target bigint, confidence float8, evidence jsonb)),
  made as (
    insert into bellhand_matching.matches (project_id, source_id, target_id, exclusive, confidence, method, evidence, run_id)
      select p.id, g.source, g.target, p.one_to_one, g.confidence, p_method,
        coalesce(g.evidence, (
          select c.evidence from bellhand_matching.candidates c
          where c.run_id = p_run and c.source_id = g.source and c.target_id = g.target), '{}'), p_run
      from given g, bellhand_matching.runs r join bellhand_matching.projects p on p.id = r.project_id
      where r.id = p_run
        and exists (select from bellhand_matching.items i where i.id = g.source and i.project_id = p.id and i.side = 'source')
        and exists (select from bellhand_matching.items i where i.id = g.target and i.project_id = p.id and i.side = 'catalogue')
      order by g.confidence desc, g.source, g.target
      on conflict do nothing
      returning source_id),
  noted as (
    update bellhand_matching.run_items i set state = 'matched', stage = p_stage, error = null
      from made where i.run_id = p_run and i.item_id = made.source_id returning i.item_id)
  select coalesce(array_agg(source_id), '{}') into saved from made;
  return saved;
end $$;
revoke execute on function bellhand_matching.save_matches from public;
select bellhand.allow('worker', 'execute on function bellhand_matching.save_matches');
