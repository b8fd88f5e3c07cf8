-- Notes how items fared in a stage, as [{item, state, error}], counts the run anew and returns it; no row if a later attempt has it.
-- An item that is matched stays so.
create or replace function bellhand_matching.note_items(p_run bigint, p_epoch bigint, p_stage smallint, p_done integer, p_items jsonb)
returns setof bellhand_matching.runs language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform from bellhand_matching.runs r where r.id = p_run and r.epoch = p_epoch for no key update;
  if not found then return; end if;
  update bellhand_matching.run_items i set state = g.state, stage = p_stage, error = g.error
    from jsonb_to_recordset(p_items) as g(item bigint, state text, error text)
    where i.run_id = p_run and i.item_id = g.item and i.state <> 'matched';
  return query
    update bellhand_matching.runs r
      set processed_items = n.processed, matches_found = n.matched, failed_items = n.failed,
        stage_done = least(r.stage_total, r.stage_done + p_done), told_at = bellhand.now()
      from (select count(*) filter (where i.state <> 'waiting') as processed, count(*) filter (where i.state = 'matched') as matched,
          count(*) filter (where i.state = 'failed') as failed
        from bellhand_matching.run_items i where i.run_id = p_run and i.side = 'source') n
      where r.id = p_run returning r.*;
end $$;
revoke execute on function bellhand_matching.note_items from public;
select bellhand.allow('worker', 'execute on function bellhand_matching.note_items');
