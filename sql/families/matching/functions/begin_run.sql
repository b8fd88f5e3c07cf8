-- The run of a job, begun with all items that have no match, or taken over by a later attempt; no row if a later one has it already.
-- An item whose sku another one of its side has is failed at once, and says whose: which of the two is meant nobody can know.
create or replace function bellhand_matching.begin_run(
  p_project text, p_job bigint, p_job_key uuid, p_epoch bigint, p_type text, p_options jsonb)
returns setof bellhand_matching.runs language plpgsql set search_path = pg_catalog, pg_temp as $$
declare run bellhand_matching.runs;
begin
  insert into bellhand_matching.runs as old (project_id, job_id, job_key, epoch, job_type, options)
    values (p_project, p_job, p_job_key, p_epoch, p_type, p_options)
    on conflict (job_key) do update
      set epoch = excluded.epoch, finished_at = null, pace_done = old.stage_done, pace_started_at = bellhand.now()
      where old.epoch < excluded.epoch
    returning * into run;
  if run.id is null then return; end if;
  if not exists (select from bellhand_matching.run_items i where i.run_id = run.id) then
    with kin as (
      select i.id, i.side, min(i.id) over (partition by i.side, lower(btrim(i.sku))) as first_id, i.sku,
        m.id is null and i.side = 'source' as unmatched
      from bellhand_matching.items i
        left join bellhand_matching.matches m on m.source_id = i.id and m.status <> 'rejected'
      where i.project_id = p_project)
    insert into bellhand_matching.run_items (run_id, item_id, side, state, error)
      select run.id, k.id, k.side, case when twice then 'failed' else 'waiting' end,
        case when twice then format('duplicate sku %s: item %s of this side has it too; give one of them another, or remove it',
          quote_literal(k.sku), k.first_id) end
      from kin k, lateral (select coalesce(btrim(k.sku) <> '' and k.id <> k.first_id, false) as twice) d
      where k.unmatched or (k.side = 'catalogue' and twice);
    update bellhand_matching.runs r
      set total_items = (select count(*) from bellhand_matching.run_items i where i.run_id = run.id and i.side = 'source')
      where r.id = run.id;
  else
    -- Only what failed on the way is tried again.
    update bellhand_matching.run_items i set state = 'waiting', stage = i.stage - 1, error = null
      where i.run_id = run.id and i.state = 'failed' and i.stage > 0;
  end if;
  -- What failed in an older run may be tried again for a while, and needs its candidates.
  delete from bellhand_matching.candidates c using bellhand_matching.runs r
    where r.project_id = p_project and r.id < run.id and c.run_id = r.id
      and (r.finished_at is not null and r.failed_items = 0 or r.told_at < bellhand.now() - interval '30 days');
  return query select r.* from bellhand_matching.runs r where r.id = run.id;
end $$;
revoke execute on function bellhand_matching.begin_run from public;
select bellhand.allow('worker', 'execute on function bellhand_matching.begin_run');
