-- Enqueues the checks of businesses whose website was never looked at, at most `most` of them, oldest first; returns how many
-- jobs are new. It makes up for what businesses_changed could not enqueue, while no daemon had published the kinds.
create or replace function bellhand_sites.enqueue_unchecked(most integer default 10000)
returns integer language sql security definer set search_path = pg_catalog, pg_temp as $$
  select bellhand_sites.enqueue_checks(coalesce(array_agg(b.id), '{}')) from (
    select id from bellhand_sites.businesses
      where website is not null and website_checked_at is null and not excluded order by id limit most) b
$$;
revoke execute on function bellhand_sites.enqueue_unchecked from public;
select bellhand.allow(who, 'execute on function bellhand_sites.enqueue_unchecked') from unnest(array['producer', 'worker']) who;
