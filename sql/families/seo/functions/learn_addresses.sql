-- Makes addresses known to a crawl, each once: new ones wait (or say why they are left out), known ones may turn out nearer,
-- followable after all, or pages. Of one pattern at most p_pattern_pages_max pages wait. The arrays run side by side and hold
-- no key twice; the caller holds the crawl's row.
create or replace function bellhand_seo.learn_addresses(
  p_crawl bigint, p_pattern_pages_max integer, p_keys uuid[], p_urls text[], p_roles text[], p_states text[], p_depths integer[],
  p_patterns uuid[], p_in_sitemap boolean)
returns void language plpgsql set search_path = pg_catalog, pg_temp
-- A plan made while the table was empty must not read all of it later: address by address through the index (that is what
-- lateral and offset 0 say), whatever the planner believes.
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_material = off as $$
begin
  update bellhand_seo.pages p
    set depth = least(p.depth, t.depth),
        in_sitemap = p.in_sitemap or p_in_sitemap,
        role = case when p.role = 'resource' then t.role else p.role end,
        state = case
          when p.state in ('nofollow', 'too_deep') and t.state = 'waiting' then 'waiting'
          when p.state in ('waiting', 'unchecked') and p.role = 'resource' and t.role = 'page' then t.state
          else p.state end
    from (
      select old.id, t.role, t.state, t.depth from unnest(p_keys, p_roles, p_states, p_depths) t(key, role, state, depth)
        cross join lateral (
          select o.id, o.role, o.state, o.depth, o.in_sitemap from bellhand_seo.pages o
            where o.crawl_id = p_crawl and o.url_key = t.key offset 0) old
        where t.depth < old.depth or (old.depth is null and t.depth is not null and t.role = 'page')
          or (p_in_sitemap and not old.in_sitemap) or (old.role = 'resource' and t.role = 'page')
          or (old.state in ('nofollow', 'too_deep') and t.state = 'waiting')) t
    where p.id = t.id;
  with new as (
    select t.*, row_number() over likes as place, count(*) over (partition by t.pattern) as together
      from (select * from unnest(p_keys, p_urls, p_roles, p_states, p_depths, p_patterns) with ordinality
              u(key, url, role, state, depth, pattern, n)) t
      where not exists (select from bellhand_seo.pages p where p.crawl_id = p_crawl and p.url_key = t.key)
      window likes as (partition by t.pattern order by t.n)
  ), counted as (
    insert into bellhand_seo.patterns as old (crawl_id, pattern, pages)
      select p_crawl, n.pattern, count(*) from new n where n.pattern is not null and n.role = 'page' group by n.pattern
      on conflict (crawl_id, pattern) do update set pages = old.pages + excluded.pages
      returning pattern, pages
  )
  insert into bellhand_seo.pages (crawl_id, url, url_key, role, state, depth, in_sitemap)
    select p_crawl, n.url, n.key, n.role,
           case when n.role = 'page' and n.state = 'waiting' and c.pages - n.together + n.place > p_pattern_pages_max then 'trap'
                else n.state end,
           n.depth, p_in_sitemap
      from new n left join counted c using (pattern) order by n.n;
end $$;
revoke execute on function bellhand_seo.learn_addresses from public;
select bellhand.allow('worker', 'execute on function bellhand_seo.learn_addresses');
