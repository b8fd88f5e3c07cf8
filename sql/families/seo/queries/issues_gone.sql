-- Issues of analysis $1 that analysis $2 of crawl $3 has no more, by rule: fixed, where the page was looked at again, or gone
-- with its page.
select o.rule, count(*) filter (where seen.yes) as fixed, count(*) filter (where not seen.yes) as gone
  from bellhand_seo.issues o
  cross join lateral (select o.page_id is null or exists (
    select from bellhand_seo.pages p where p.crawl_id = $3 and p.url_key = o.url_key and p.state = 'done') as yes) seen
  where o.analysis_id = $1 and not exists (
    select from bellhand_seo.issues n where n.analysis_id = $2 and n.rule = o.rule and n.url_key = o.url_key)
  group by o.rule order by o.rule
