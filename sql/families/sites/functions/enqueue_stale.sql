-- Enqueues checks of businesses whose website was looked at longest ago, if that is longer than `older_than` or never, at most
-- `most` businesses; returns how many jobs are new. Those whose checks wait already count among them, and get no second job.
create or replace function bellhand_sites.enqueue_stale(
  older_than interval, most integer default 1000, priority integer default 2, kinds text[] default array['sites.validate'])
returns integer language sql security definer set search_path = pg_catalog, pg_temp as $$
  select bellhand_sites.enqueue_checks(coalesce(array_agg(b.id), '{}'), enqueue_stale.priority, enqueue_stale.kinds) from (
    select id from bellhand_sites.businesses
      where website is not null and not excluded and auto_check
        and (website_checked_at is null or website_checked_at < bellhand.now() - older_than)
      order by website_checked_at nulls first, id
      limit most) b
$$;
revoke execute on function bellhand_sites.enqueue_stale from public;
select bellhand.allow(who, 'execute on function bellhand_sites.enqueue_stale') from unnest(array['producer', 'worker']) who;
