-- One business, as a check needs it.
select id, website, country, excluded from bellhand_sites.businesses where id = $1
