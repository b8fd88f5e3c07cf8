-- Shows the reports $2 of crawl $1, in place of older ones of the same formats; returns how many there are to show.
with older as (
  delete from bellhand_seo.reports r using bellhand_seo.reports n
    where n.id = any($2::bigint[]) and r.crawl_id = $1 and r.format = n.format and r.id <> all($2::bigint[])
), shown as (
  update bellhand_seo.reports set completed = true where crawl_id = $1 and id = any($2::bigint[]) returning 1
)
select count(*) from shown
