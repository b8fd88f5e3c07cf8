-- Crawls, the newest first, with what their analysis says and which reports there are of them.
select c.id, c.url, c.state, c.pages, c.links, c.errors, c.started_at, c.finished_at, c.error, a.score, a.details -> 'severities' as issues,
  (select string_agg(r.format, ' ' order by r.format) from bellhand_seo.reports r where r.crawl_id = c.id and r.completed) as reports,
  bellhand.now() as now
from bellhand_seo.all_crawls c left join bellhand_seo.analyses a on a.crawl_id = c.id and a.state = 'completed'
order by c.id desc limit $1
