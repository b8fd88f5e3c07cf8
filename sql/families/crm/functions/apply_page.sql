-- Takes in page p_page of a pass and where the next one is, in one transaction: verdict ok, or stale where somebody has taken it in already,
-- or loop where it leads back to a page that was read, or brings nothing but what was. Where the database refuses a row, the rows go one by
-- one, and those that are refused are written down like the bad ones that came along ({"position", "id", "reason"}).
create or replace function bellhand_crm.apply_page(
  p_sync bigint, p_page integer, p_rows jsonb, p_bad jsonb, p_cursor text, p_last boolean,
  out verdict text, out reason text, out sync bellhand_crm.syncs)
language plpgsql set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  one jsonb;
  part record;
  counts integer[] := '{0,0,0,0}';
  refused jsonb := p_bad;
  met integer;
begin
  select * into strict sync from bellhand_crm.syncs y where y.id = p_sync for update;
  if sync.state <> 'running' or sync.read_all or sync.pages <> p_page - 1 then
    verdict := 'stale'; return;
  end if;
  begin
    select * into part from bellhand_crm.apply_customers(sync.id, sync.source, p_rows);
    counts := array[part.created, part.updated, part.unchanged, part.repeated];
  exception when integrity_constraint_violation or data_exception then
    for one in select * from jsonb_array_elements(p_rows) loop
      begin
        select * into part from bellhand_crm.apply_customers(sync.id, sync.source, jsonb_build_array(one));
        counts := array[counts[1] + part.created, counts[2] + part.updated, counts[3] + part.unchanged, counts[4] + part.repeated];
      exception when integrity_constraint_violation or data_exception then
        refused := refused || jsonb_build_object('position', one -> 'position', 'id', one -> 'id', 'reason', sqlerrm);
      end;
    end loop;
  end;
  -- A bad row is somebody's all the same: who has one is not gone.
  update bellhand_crm.synced_customers l set seen_in = sync.id
    from jsonb_to_recordset(refused) as b(id text) where l.source = sync.source and l.external_id = b.id;
  insert into bellhand_crm.sync_problems (sync_id, page, position, external_id, reason)
    select sync.id, p_page, b.position, left(b.id, 200), left(b.reason, 500)
      from jsonb_to_recordset(refused) as b(position integer, id text, reason text)
      where sync.bad < 10000 order by b.position;
  update bellhand_crm.syncs y set pages = p_page, cursor = p_cursor, read_all = p_last,
      created = y.created + counts[1], updated = y.updated + counts[2], unchanged = y.unchanged + counts[3], repeated = y.repeated + counts[4],
      bad = y.bad + jsonb_array_length(refused),
      nameless = y.nameless + (select count(*) from jsonb_array_elements(refused) b where jsonb_typeof(b.value -> 'id') is distinct from 'string')
    where y.id = sync.id returning y.* into sync;
  verdict := 'ok';
  if not p_last and counts[4] > 0 and counts[4] = jsonb_array_length(p_rows) then
    verdict := 'loop'; reason := format('page %s brings nothing but what came before', p_page); return;
  end if;
  if p_cursor is not null then
    insert into bellhand_crm.sync_cursors (sync_id, digest, page) values (sync.id, sha256(convert_to(p_cursor, 'UTF8')), p_page) on conflict do nothing;
    if not found then
      select c.page into met from bellhand_crm.sync_cursors c where c.sync_id = sync.id and c.digest = sha256(convert_to(p_cursor, 'UTF8'));
      verdict := 'loop'; reason := format('page %s leads to the same page as page %s', p_page, met);
    end if;
  end if;
end $$;
revoke execute on function bellhand_crm.apply_page from public;
select bellhand.allow('worker', 'execute on function bellhand_crm.apply_page');
