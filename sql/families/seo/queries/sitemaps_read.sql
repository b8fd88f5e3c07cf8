-- The sitemaps of crawl $1, at most $2.
select url, urls, error from bellhand_seo.sitemaps where crawl_id = $1 and state = 'done' order by id limit $2
