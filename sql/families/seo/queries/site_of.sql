-- The id of the site of owner $2 that starts at $1, entered if need be.
select bellhand_seo.site_of($1, $2) as id
