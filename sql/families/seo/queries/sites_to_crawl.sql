-- The sites that ask to be crawled $1 (daily, weekly or monthly).
select id, owner from bellhand_seo.sites where recrawl = $1 order by id
