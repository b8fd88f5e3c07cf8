-- Writes what was asked for and what it led to: the pages' results, the addresses they name, the links between. One call is one
-- commit, so after a crash a page is either waiting or stored with all its links. Returns false, and writes nothing, if the
-- crawl has passed on to a later attempt (the epoch). p_pages: [{id, state, attempts, first, failed, ...}].
create or replace function bellhand_seo.store_pages(
  p_crawl bigint, p_epoch bigint, p_pattern_pages_max integer, p_pages jsonb,
  p_keys uuid[], p_urls text[], p_roles text[], p_states text[], p_depths integer[], p_patterns uuid[],
  p_from bigint[], p_to uuid[], p_kinds text[], p_rels text[], p_texts text[], p_fragments text[], p_times integer[])
returns boolean language plpgsql set search_path = pg_catalog, pg_temp
-- As in learn_addresses.
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set enable_material = off as $$
begin
  update bellhand_seo.crawls c
    set pages = c.pages + s.first, errors = c.errors + s.failed, links = c.links + cardinality(p_from)
    from (select count(*) filter (where x.first) as first, count(*) filter (where x.failed) as failed
            from jsonb_to_recordset(p_pages) x(first boolean, failed boolean)) s
    where c.id = p_crawl and c.epoch = p_epoch;
  if not found then return false; end if;
  perform bellhand_seo.learn_addresses(p_crawl, p_pattern_pages_max, p_keys, p_urls, p_roles, p_states, p_depths, p_patterns, false);
  update bellhand_seo.pages p
    set state = x.state, attempts = x.attempts, status = x.status, content_type = x.content_type, body_bytes = x.body_bytes,
        truncated = x.truncated, response_seconds = x.response_seconds, canonical = x.canonical, noindex = x.noindex,
        nofollow = x.nofollow, error_code = x.error_code, error = x.error, text_hash = x.text_hash, simhash = x.simhash,
        facts = x.facts, redirects = x.redirects, final_url = x.final_url,
        redirect_to = (select t.id from bellhand_seo.pages t where t.crawl_id = p_crawl and t.url_key = x.redirect_key),
        fetched_at = case when x.attempts > 0 then bellhand.now() end
    from jsonb_to_recordset(p_pages) x(id bigint, state text, attempts smallint, status integer, redirect_key uuid, redirects text[],
      final_url text, content_type text, body_bytes bigint, truncated boolean, response_seconds real, canonical text, noindex boolean,
      nofollow boolean, error_code text, error text, text_hash text, simhash bigint, facts jsonb)
    where p.id = x.id;
  insert into bellhand_seo.links (crawl_id, from_page, to_page, kind, rel, text, fragment, times)
    select p_crawl, l.from_page, (select p.id from bellhand_seo.pages p where p.crawl_id = p_crawl and p.url_key = l.key),
           l.kind, l.rel, l.text, l.fragment, l.times
      from unnest(p_from, p_to, p_kinds, p_rels, p_texts, p_fragments, p_times) l(from_page, key, kind, rel, text, fragment, times);
  return true;
end $$;
revoke execute on function bellhand_seo.store_pages from public;
select bellhand.allow('worker', 'execute on function bellhand_seo.store_pages');
