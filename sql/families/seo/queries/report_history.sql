-- The scores of site $1 up to crawl $2, the newest $3, oldest first.
select h.date, h.score, h.errors from (
  select c.id, to_char(c.started_at at time zone 'UTC', 'YYYY-MM-DD') as date, a.score,
         (a.details -> 'severities' ->> 'error')::integer as errors
    from bellhand_seo.analyses a join bellhand_seo.crawls c on c.id = a.crawl_id
    where c.site_id = $1 and c.id <= $2 and a.state = 'completed'
    order by c.id desc limit $3) h
  order by h.id
