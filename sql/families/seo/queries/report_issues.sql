-- Every issue of analysis $1, by rule and page; read through a cursor.
select i.rule, i.severity, p.url, i.is_new, i.evidence
  from bellhand_seo.issues i left join bellhand_seo.pages p on p.id = i.page_id
  where i.analysis_id = $1
  order by i.rule, i.page_id nulls first
