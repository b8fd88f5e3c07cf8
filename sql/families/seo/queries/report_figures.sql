-- What the pages of crawl $1 are like, in numbers: answers by class, clicks from the start page, seconds and bytes.
select
  (select jsonb_object_agg(x.answer, x.n) from (
     select case when status between 200 and 299 then 'ok' when status between 300 and 399 then 'redirect'
                 when status between 400 and 499 then 'not found' when status >= 500 then 'server error'
                 else 'no answer' end as answer, count(*) as n
       from bellhand_seo.pages where crawl_id = $1 and role = 'page' and state = 'done' group by 1) x) as answers,
  (select jsonb_object_agg(x.depth, x.n) from (
     select least(depth, 10) as depth, count(*) as n from bellhand_seo.pages
       where crawl_id = $1 and role = 'page' and state = 'done' and depth is not null group by 1) x) as depths,
  (select jsonb_object_agg(x.slot, x.n) from (
     select width_bucket(response_seconds, array[0.1, 0.2, 0.5, 1, 2]) as slot, count(*) as n from bellhand_seo.pages
       where crawl_id = $1 and role = 'page' and status between 200 and 299 and response_seconds is not null group by 1) x) as seconds,
  (select percentile_disc(0.5) within group (order by response_seconds) from bellhand_seo.pages
     where crawl_id = $1 and role = 'page' and status between 200 and 299) as seconds_median,
  (select percentile_disc(0.5) within group (order by body_bytes) from bellhand_seo.pages
     where crawl_id = $1 and role = 'page' and facts is not null) as bytes_median
