-- The newest report of a crawl in a format, and which formats there are.
select (select max(r.id) from bellhand_seo.reports r where r.crawl_id = c.id and r.completed and r.format = $2) as report,
  array(select distinct r.format from bellhand_seo.reports r where r.crawl_id = c.id and r.completed order by 1) as formats
from bellhand_seo.crawls c where c.id = $1
