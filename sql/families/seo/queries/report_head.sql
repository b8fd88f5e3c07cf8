-- The current analysis of crawl $1 with its crawl and site, as a report begins; times in UTC as text.
select a.id as analysis_id, a.pages as html_pages, a.score, a.details, a.summary, c.id as crawl_id, c.url, c.state, c.owner,
       c.pages, c.links, c.errors, s.id as site_id, s.name,
       to_char(c.started_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') as started_at,
       to_char(coalesce(c.finished_at, a.started_at) - c.started_at, 'HH24:MI:SS') as took,
       before.score as previous_score, to_char(old.started_at at time zone 'UTC', 'YYYY-MM-DD') as previous_date
  from bellhand_seo.analyses a
  join bellhand_seo.all_crawls c on c.id = a.crawl_id
  join bellhand_seo.sites s on s.id = c.site_id
  left join bellhand_seo.analyses before on before.id = a.previous_id
  left join bellhand_seo.crawls old on old.id = before.crawl_id
  where a.crawl_id = $1 and a.state = 'completed'
