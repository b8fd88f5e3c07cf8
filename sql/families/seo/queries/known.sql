-- How far crawl $1 is: pages fetched, links and errors, and how many pages wait.
select c.pages, c.links, c.errors,
       (select count(*) from bellhand_seo.pages p where p.crawl_id = c.id and p.state = 'waiting' and p.role = 'page') as waiting
  from bellhand_seo.crawls c where c.id = $1
