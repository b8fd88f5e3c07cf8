-- Writes a batch of pages with their addresses and links; see the function.
select bellhand_seo.store_pages($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
