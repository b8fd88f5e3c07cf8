-- Takes in rows of a source, all at once, and counts what became of them. A row is {"id", "said": {our column: value}}; no id comes twice.
-- In the source's local_fields a value that was changed here (it is not what the source said before) stays; elsewhere the source is right.
-- Planned anew each time: a plan that was made while the tables were empty reads all of them for each page later.
-- One that the source had dropped and brings back is deleted no longer. One that was deleted here stays deleted, and nothing of them is taken
-- in: it may have been erased.
create or replace function bellhand_crm.apply_customers(
  p_sync bigint, p_source text, p_rows jsonb, out created integer, out updated integer, out unchanged integer, out repeated integer)
language plpgsql set search_path = pg_catalog, pg_temp set plan_cache_mode = force_custom_plan as $$
declare
  src bellhand_crm.sources;
  taken text;
begin
  select * into strict src from bellhand_crm.sources s where s.name = p_source;
  select format('customer %s belongs to source %s', l.customer_id, l.source) into taken
    from jsonb_to_recordset(p_rows) as r(id text)
    join bellhand_crm.synced_customers l on l.customer_id = src.id_prefix || r.id
    where not exists (select from bellhand_crm.synced_customers own where own.source = src.name and own.external_id = r.id) limit 1;
  if found then
    raise exception using errcode = 'unique_violation', message = taken;
  end if;
  with found as materialized (
    select r.id as external_id, coalesce(l.customer_id, src.id_prefix || r.id) as customer_id, r.said, l.seen_in = p_sync as again, l.gone_at,
        c.id is not null as there, c.deleted_at is not null and l.gone_at is null as deleted_here, to_jsonb(c) as own, l.said as said_before
      from jsonb_to_recordset(p_rows) as r(id text, said jsonb)
      left join bellhand_crm.synced_customers l on l.source = src.name and l.external_id = r.id
      left join bellhand_crm.customers c on c.id = coalesce(l.customer_id, src.id_prefix || r.id)
  ), merged as materialized (
    select f.*, (select coalesce(jsonb_object_agg(e.key, case when f.there and e.key = any (src.local_fields) and f.own -> e.key <> 'null'
        and f.own -> e.key is distinct from f.said_before -> e.key then f.own -> e.key else e.value end), '{}') from jsonb_each(f.said) e) as wanted
      from found f where f.again is not true
  ), made as (
    insert into bellhand_crm.customers (id, name, email, tier, time_zone, consent)
      select customer_id, wanted ->> 'name', wanted ->> 'email', coalesce(wanted ->> 'tier', 'standard'), coalesce(wanted ->> 'time_zone', 'UTC'),
          coalesce((wanted ->> 'consent')::boolean, false)
        from merged where not there
      returning id
  ), changed as (
    update bellhand_crm.customers c set
        name = case when wanted ? 'name' then wanted ->> 'name' else c.name end,
        email = case when wanted ? 'email' then wanted ->> 'email' else c.email end,
        tier = coalesce(wanted ->> 'tier', c.tier), time_zone = coalesce(wanted ->> 'time_zone', c.time_zone),
        consent = coalesce((wanted ->> 'consent')::boolean, c.consent),
        deleted_at = case when m.gone_at is null then c.deleted_at end
      from merged m
      where m.there and not m.deleted_here and c.id = m.customer_id and (m.gone_at is not null or not m.own @> m.wanted)
      returning c.id
  ), linked as (
    insert into bellhand_crm.synced_customers as l (source, external_id, customer_id, said, seen_in)
      select src.name, m.external_id, m.customer_id, case when m.deleted_here then '{}' else m.said end, p_sync from merged m
        -- The customer has to be there first.
        left join made on made.id = m.customer_id where m.there or made.id is not null
      on conflict (source, external_id) do update set said = excluded.said, seen_in = excluded.seen_in, gone_at = null
      returning 1
  )
  select (select count(*) from made), (select count(*) from changed), (select count(*) from linked), (select count(*) from found where again)
    into created, updated, unchanged, repeated;
  unchanged := unchanged - created - updated;
end $$;
revoke execute on function bellhand_crm.apply_customers from public;
select bellhand.allow('worker', 'execute on function bellhand_crm.apply_customers');
