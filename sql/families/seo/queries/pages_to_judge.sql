-- The next $3 pages of crawl $1 behind id $2, as the rules look at them.
select * from bellhand_seo.pages_to_judge($1, $2, $3)
