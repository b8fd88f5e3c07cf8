-- The oldest crawl of site $1 beyond the $2 newest that are over; none of those still at work.
select id from bellhand_seo.crawls
  where site_id = $1 and state <> 'running' and id not in (
    select id from bellhand_seo.crawls where site_id = $1 and state <> 'running' order by id desc limit $2)
  order by id limit 1
