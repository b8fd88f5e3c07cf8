-- Lets crawl $1 read the sitemaps $2 (keys) and $3 (addresses), each once.
insert into bellhand_seo.sitemaps (crawl_id, url, url_key, level)
  select $1, t.url, t.key, 0 from unnest($2::uuid[], $3::text[]) with ordinality t(key, url, n) order by t.n
  on conflict (crawl_id, url_key) do nothing
