-- Makes room for analysis $2 as the current one of crawl $1.
delete from bellhand_seo.analyses where crawl_id = $1 and id <> $2
