-- One site, as a crawl needs it.
select id, url, max_pages, crawls_kept, owner from bellhand_seo.sites where id = $1
