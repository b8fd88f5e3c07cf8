-- Puts the waiting items that a stage has in no chunk yet into chunks, numbered on from the last, and returns how many there are;
-- null if a later attempt has the run. With p_least only items with a candidate as likely: the others are nothing to ask about.
create or replace function bellhand_matching.plan_chunks(p_run bigint, p_epoch bigint, p_stage smallint, p_size integer, p_least real)
returns integer language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  chunks integer;
begin
  perform from bellhand_matching.runs r where r.id = p_run and r.epoch = p_epoch for share;
  if not found then return null; end if;
  select coalesce(max(c.chunk), 0) into chunks from bellhand_matching.run_chunks c where c.run_id = p_run and c.stage = p_stage;
  insert into bellhand_matching.run_chunks (run_id, stage, item_id, chunk)
    select p_run, p_stage, i.item_id, chunks + 1 + (row_number() over (order by i.item_id) - 1) / p_size
    from bellhand_matching.run_items i
    where i.run_id = p_run and i.side = 'source' and i.state = 'waiting'
      and not exists (
        select from bellhand_matching.run_chunks c where c.run_id = p_run and c.stage = p_stage and c.item_id = i.item_id)
      and (p_least is null or exists (
        select from bellhand_matching.candidates c where c.run_id = p_run and c.source_id = i.item_id and c.confidence >= p_least));
  return (select coalesce(max(c.chunk), 0) from bellhand_matching.run_chunks c where c.run_id = p_run and c.stage = p_stage);
end $$;
revoke execute on function bellhand_matching.plan_chunks from public;
select bellhand.allow('worker', 'execute on function bellhand_matching.plan_chunks');
