-- The next sitemap that crawl $1 waits for, and how many it has read.
select s.id, s.url, s.level, (select count(*) from bellhand_seo.sitemaps d where d.crawl_id = $1 and d.state = 'done') as read
  from bellhand_seo.sitemaps s where s.crawl_id = $1 and s.state = 'waiting' order by s.id limit 1
