-- Pages of crawl $1 that robots.txt closes, at most $2, with how many pages link to each.
select p.id, p.url, p.url_key, p.state, p.in_sitemap,
       (select count(distinct l.from_page) from bellhand_seo.links l
          where l.crawl_id = p.crawl_id and l.to_page = p.id and l.kind = 'a') as inlinks
  from bellhand_seo.pages p
  where p.crawl_id = $1 and p.role = 'page' and p.state = 'robots'
  order by p.id limit $2
