-- The oldest crawl of site $1 beyond its $2 newest, leaving out those whose job is not over.
with over as (
  select c.id from bellhand_seo.crawls c
    where c.site_id = $1 and (c.state = 'completed' or not exists (select from bellhand.jobs j where j.id = c.job_id))
)
select id from over where id not in (select id from over order by id desc limit $2) order by id limit 1
