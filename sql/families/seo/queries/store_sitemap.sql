-- Writes what a sitemap lists; see the function.
select bellhand_seo.store_sitemap($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
