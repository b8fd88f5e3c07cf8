-- Deletes up to $2 pages of crawl $1; says how many it were.
with gone as (
  delete from bellhand_seo.pages where id = any(array(select id from bellhand_seo.pages where crawl_id = $1 limit $2)) returning 1
)
select count(*) from gone
