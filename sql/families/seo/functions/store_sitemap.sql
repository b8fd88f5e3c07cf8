-- Writes what a sitemap lists: its addresses become known pages, its sitemaps wait to be read. Returns false, and writes nothing,
-- if the crawl has passed on to a later attempt.
create or replace function bellhand_seo.store_sitemap(
  p_crawl bigint, p_epoch bigint, p_pattern_pages_max integer, p_sitemap bigint, p_urls integer, p_error text,
  p_keys uuid[], p_page_urls text[], p_states text[], p_patterns uuid[], p_inner_keys uuid[], p_inner_urls text[])
returns boolean language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  perform from bellhand_seo.crawls c where c.id = p_crawl and c.epoch = p_epoch for no key update;
  if not found then return false; end if;
  perform bellhand_seo.learn_addresses(p_crawl, p_pattern_pages_max, p_keys, p_page_urls,
    array_fill('page'::text, array[cardinality(p_keys)]), p_states, array_fill(null::integer, array[cardinality(p_keys)]), p_patterns, true);
  update bellhand_seo.sitemaps s set state = 'done', urls = p_urls, error = p_error where s.id = p_sitemap;
  insert into bellhand_seo.sitemaps (crawl_id, url, url_key, level)
    select p_crawl, t.url, t.key, s.level + 1 from unnest(p_inner_keys, p_inner_urls) with ordinality t(key, url, n)
      join bellhand_seo.sitemaps s on s.id = p_sitemap order by t.n
    on conflict (crawl_id, url_key) do nothing;
  return true;
end $$;
revoke execute on function bellhand_seo.store_sitemap from public;
select bellhand.allow('worker', 'execute on function bellhand_seo.store_sitemap');
