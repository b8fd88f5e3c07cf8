-- Adds issues to analysis $1: rules $2, severities $3, pages $4 (null for the site) and their keys $5, evidence $6, side by side.
-- Whether one is new is asked of the analysis before, $7. The reference to an analysis that is gone refuses the whole batch.
insert into bellhand_seo.issues (analysis_id, rule, severity, page_id, url_key, is_new, evidence)
  select $1, i.rule, i.severity, i.page_id, i.url_key,
         case when $7::bigint is not null then not exists (
           select from bellhand_seo.issues o
             where o.analysis_id = $7 and o.rule = i.rule and o.url_key = i.url_key) end,
         i.evidence::jsonb
    from unnest($2::text[], $3::text[], $4::bigint[], $5::uuid[], $6::text[]) i(rule, severity, page_id, url_key, evidence)
