-- Ends a pass that has read everything: deletes softly whom it did not see, unless it could not tell who some rows were. Verdict done, or
-- too_many, where they would be too many to believe: then nothing changes, and the pass can be ended once a person has said that it is right.
create or replace function bellhand_crm.finish_sync(p_sync bigint, out verdict text, out reason text, out sync bellhand_crm.syncs)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  src bellhand_crm.sources;
  missing integer := 0;
  total integer;
begin
  select * into strict sync from bellhand_crm.syncs y where y.id = p_sync and y.read_all for update;
  select * into strict src from bellhand_crm.sources s where s.name = sync.source;
  if src.deletes and sync.nameless = 0 then
    select count(*) filter (where l.seen_in <> sync.id), count(*) into missing, total
      from bellhand_crm.synced_customers l join bellhand_crm.customers c on c.id = l.customer_id
      where l.source = src.name and l.gone_at is null and c.deleted_at is null;
  end if;
  if missing > src.delete_share_max * total then
    verdict := 'too_many';
    reason := format('%s of the %s customers of source %s are missing, more than delete_share_max (%s), so nobody was deleted: '
      'look whether the source is whole, or raise it in bellhand_crm.sources and retry the job', missing, total, src.name, src.delete_share_max);
    return;
  elsif missing > 0 then
    with gone as (
      update bellhand_crm.customers c set deleted_at = bellhand.now() from bellhand_crm.synced_customers l
        where l.source = src.name and l.seen_in <> sync.id and l.gone_at is null and c.id = l.customer_id and c.deleted_at is null
        returning l.external_id
    )
    update bellhand_crm.synced_customers l set gone_at = bellhand.now() from gone
      where l.source = src.name and l.external_id = gone.external_id;
  end if;
  delete from bellhand_crm.sync_cursors c where c.sync_id = sync.id;
  update bellhand_crm.syncs y set state = 'completed', ended_at = bellhand.now(), deleted = missing where y.id = sync.id returning y.* into sync;
  verdict := 'done';
end $$;
revoke execute on function bellhand_crm.finish_sync from public;
select bellhand.allow('worker', 'execute on function bellhand_crm.finish_sync');
