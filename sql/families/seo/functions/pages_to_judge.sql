-- The next p_limit pages of a crawl that were asked, behind id p_after, as the rules look at them: with how many pages link to
-- each, and with those of its links that lead nowhere or elsewhere (at most 200), as [url, kind, role, status, error, final_url].
create or replace function bellhand_seo.pages_to_judge(p_crawl bigint, p_after bigint, p_limit integer)
returns table (id bigint, url text, url_key uuid, depth integer, status integer, redirects text[], content_type text,
  body_bytes bigint, response_seconds real, truncated boolean, in_sitemap boolean, error_code text, error text, facts jsonb,
  inlinks bigint, inlinks_followed bigint, targets jsonb)
language sql stable set search_path = pg_catalog, pg_temp
-- Nobody has analyzed the tables of a crawl that has just ended: a plan by guesses must not read all of them for each page.
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
  select p.id, p.url, p.url_key, p.depth, p.status, p.redirects, p.content_type, p.body_bytes, p.response_seconds, p.truncated,
         p.in_sitemap, p.error_code, p.error, p.facts, i.inlinks, i.inlinks_followed, t.targets
    from (select * from bellhand_seo.pages a
            where a.crawl_id = p_crawl and a.id > p_after and a.role = 'page' and a.state = 'done'
            order by a.id limit p_limit) p
    cross join lateral (
      select count(distinct l.from_page) as inlinks,
             count(distinct l.from_page) filter (where l.rel is null or l.rel !~ '\mnofollow\M') as inlinks_followed
        from bellhand_seo.links l
        where l.crawl_id = p_crawl and l.to_page = p.id and l.kind = 'a' and l.from_page <> p.id) i
    cross join lateral (
      select jsonb_agg(jsonb_build_array(bad.url, bad.kind, bad.role, bad.status, bad.error_code, bad.final_url)) as targets
        from (select distinct o.url, l.kind, o.role, o.status, o.error_code, o.final_url
                from bellhand_seo.links l join bellhand_seo.pages o on o.id = l.to_page
                where l.from_page = p.id and o.state = 'done'
                  and (o.status >= 400 or o.error_code is not null or o.redirect_to is not null)
                order by o.url limit 200) bad) t
    order by p.id
$$;
revoke execute on function bellhand_seo.pages_to_judge from public;
select bellhand.allow(who, 'execute on function bellhand_seo.pages_to_judge') from unnest(array['reader', 'worker']) who;
