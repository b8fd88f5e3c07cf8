-- Analysis $1 by rule: issues, new ones, and on how many pages a fault of the whole site shows.
select i.rule, count(*) as issues, count(i.page_id) as pages, count(*) filter (where i.is_new) as new,
       max((i.evidence ->> 'pages')::bigint) filter (where i.page_id is null) as site_pages
  from bellhand_seo.issues i where i.analysis_id = $1
  group by i.rule order by i.rule
