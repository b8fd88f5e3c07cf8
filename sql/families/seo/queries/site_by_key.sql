-- The id of the site that an app calls $1.
select id from bellhand_seo.sites where key = $1
