-- Deletes crawl $1 and what little of it is left.
delete from bellhand_seo.crawls where id = $1
