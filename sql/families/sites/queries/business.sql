-- One business, as a check needs it.
select id, website, excluded from bellhand_sites.businesses where id = $1
