-- Follows redirects, marks what is left over and counts; see the function.
select bellhand_seo.settle_crawl($1, $2)
