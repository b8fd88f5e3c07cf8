-- Begins an analysis of crawl $1 by job $2, compared with analysis $3; what an attempt that died left of one is forgotten, and
-- an attempt that still lives elsewhere finds its analysis gone and can write no more.
with gone as (
  delete from bellhand_seo.analyses where crawl_id = $1 and state = 'running'
)
insert into bellhand_seo.analyses (crawl_id, job_id, previous_id) values ($1, $2, $3) returning id
