-- Begins the crawl of a job, or takes it over from an earlier attempt; see the function.
select * from bellhand_seo.begin_crawl($1, $2, $3, $4, $5, $6, $7, $8)
