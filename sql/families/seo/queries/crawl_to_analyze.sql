-- Crawl $1, or where that is null the newest crawl of site $2 that is over; with the current analysis of the crawl before it.
select c.id, c.site_id, c.url, c.state, c.owner, c.pages, c.finished_at,
       (select a.id from bellhand_seo.analyses a where a.crawl_id = c.previous_id and a.state = 'completed') as previous_analysis_id,
       (select count(*) from bellhand_seo.pages p where p.crawl_id = c.id and p.role = 'page' and p.state = 'done') as to_judge
  from bellhand_seo.all_crawls c
  where c.id = coalesce($1, (select max(n.id) from bellhand_seo.crawls n where n.site_id = $2 and n.state = 'completed'))
