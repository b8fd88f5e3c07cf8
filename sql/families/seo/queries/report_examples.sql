-- Up to $2 issues of each rule of analysis $1, new ones and pages near the start first.
select x.rule, x.url, x.is_new, x.evidence from (
  select i.rule, p.url, i.is_new, i.evidence, row_number() over (
      partition by i.rule order by i.is_new desc nulls last, p.depth nulls last, i.page_id) as place
    from bellhand_seo.issues i left join bellhand_seo.pages p on p.id = i.page_id
    where i.analysis_id = $1) x
  where x.place <= $2
  order by x.rule, x.place
