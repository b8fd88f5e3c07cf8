-- Begins a report of crawl $1 and analysis $2 by job $3 in format $4; what an attempt that died left of one is forgotten.
with gone as (
  delete from bellhand_seo.reports where crawl_id = $1 and format = $4 and not completed
)
insert into bellhand_seo.reports (crawl_id, analysis_id, job_id, format) values ($1, $2, $3, $4) returning id
