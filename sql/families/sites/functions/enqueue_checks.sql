-- Enqueues checks of each business that has a website and is not excluded; returns how many jobs are new.
-- The unique key keeps it at one live job a business and kind: calling it twice adds nothing, but a call with a higher priority
-- puts those that wait in front (hurry_checks).
create or replace function bellhand_sites.enqueue_checks(
  ids bigint[], priority integer default null,
  kinds text[] default array['sites.validate', 'sites.emails', 'sites.phones', 'sites.socials'])
returns integer language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare added integer;
begin
  if not kinds <@ array['sites.validate', 'sites.emails', 'sites.phones', 'sites.socials'] then
    raise exception using errcode = 'BH005', message = format('%s are not all checks of a website', kinds),
      hint = 'Give some of sites.validate, sites.emails, sites.phones, sites.socials.';
  end if;
  insert into bellhand.jobs as j (kind, payload, unique_key, priority, source)
    select k.name, jsonb_build_object('business_id', b.id), 'business:' || b.id,
           coalesce(enqueue_checks.priority, (select kinds.priority from bellhand.kinds where kinds.name = k.name), 5), 'sites'
      from bellhand_sites.businesses b
      cross join unnest(enqueue_checks.kinds) with ordinality k(name, place)
      where b.id = any(ids) and b.website is not null and not b.excluded
      order by b.id, k.place
    on conflict (kind, unique_key) where unique_key is not null do nothing;
  get diagnostics added = row_count;
  if enqueue_checks.priority is not null then
    perform bellhand_sites.hurry_checks(ids, enqueue_checks.priority, enqueue_checks.kinds);
  end if;
  return added;
end $$;
revoke execute on function bellhand_sites.enqueue_checks from public;
select bellhand.allow(who, 'execute on function bellhand_sites.enqueue_checks') from unnest(array['producer', 'worker']) who;
