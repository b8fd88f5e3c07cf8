-- Deletes up to $2 links of crawl $1; says how many it were.
with gone as (
  delete from bellhand_seo.links where ctid = any(array(select ctid from bellhand_seo.links where crawl_id = $1 limit $2)) returning 1
)
select count(*) from gone
