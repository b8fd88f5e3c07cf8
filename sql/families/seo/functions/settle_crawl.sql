-- Ends the reading of a crawl: follows redirects from row to row, marks what is left over, counts. Returns the counts as
-- {role: {state: number}}, or null if the crawl has passed on to a later attempt. Running it twice changes nothing more.
create or replace function bellhand_seo.settle_crawl(p_crawl bigint, p_epoch bigint)
returns jsonb language plpgsql set search_path = pg_catalog, pg_temp as $$
declare counts jsonb;
begin
  perform from bellhand_seo.crawls c where c.id = p_crawl and c.epoch = p_epoch for no key update;
  if not found then return null; end if;
  with recursive walk as (
    select p.id as first, p.redirect_to as here, array[p.id] as seen, '{}'::text[] as urls, false as circle
      from bellhand_seo.pages p where p.crawl_id = p_crawl and p.redirect_to is not null
    union all
    -- A hop that leads back is kept, so that the circle can be seen, and is the last.
    select w.first, p.redirect_to, w.seen || p.id, w.urls || p.url, p.id = any(w.seen)
      from walk w join bellhand_seo.pages p on p.id = w.here
      where not w.circle and cardinality(w.seen) <= 20
  ), whole as (
    select distinct on (w.first) w.first, w.urls, w.circle from walk w order by w.first, cardinality(w.urls) desc
  )
  update bellhand_seo.pages p
    set redirects = w.urls, final_url = w.urls[cardinality(w.urls)],
        error_code = case when w.circle then 'redirect_loop' end,
        error = case when w.circle then 'the site redirects in a circle' end
    from whole w where p.id = w.first;
  update bellhand_seo.pages p set state = 'over_limit' where p.crawl_id = p_crawl and p.state = 'waiting';
  select coalesce(jsonb_object_agg(r.role, r.states), '{}') into counts from (
    select s.role, jsonb_object_agg(s.state, s.n) as states from (
      select p.role, p.state, count(*) as n from bellhand_seo.pages p where p.crawl_id = p_crawl group by 1, 2) s
      group by s.role) r;
  update bellhand_seo.crawls c
    set counters = counts,
        errors = (select count(*) from bellhand_seo.pages p
          where p.crawl_id = p_crawl and p.state = 'done' and (p.error_code is not null or p.status >= 400))
    where c.id = p_crawl;
  return counts;
end $$;
revoke execute on function bellhand_seo.settle_crawl from public;
select bellhand.allow('worker', 'execute on function bellhand_seo.settle_crawl');
