-- The next leads after id $1, at most $2, as candidates.sql has them.
select l.id, l.name, l.phone, l.phone_shown, l.website, l.domain, l.listing, l.address, l.country, l.category, l.rating, l.reviews,
       l.latitude, l.longitude, l.place_id, l.excluded, l.exclusion,
       array(select k.key from bellhand_leads.keys k where k.lead_id = l.id) as keys
  from bellhand_leads.leads l
  where l.id > $1 and l.merged_into is null
  order by l.id limit $2
