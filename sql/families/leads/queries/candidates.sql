-- The leads that share one of the keys $1 with new records, at most $2 a key, each with all its keys.
with found as (
  select distinct k.lead_id
    from unnest($1::text[]) as asked(key)
    cross join lateral (select lead_id from bellhand_leads.keys where keys.key = asked.key order by lead_id limit $2) k
)
select l.id, l.name, l.phone, l.phone_shown, l.website, l.domain, l.listing, l.address, l.country, l.category, l.rating, l.reviews,
       l.latitude, l.longitude, l.place_id, l.excluded, l.exclusion,
       array(select k.key from bellhand_leads.keys k where k.lead_id = l.id) as keys
  from found join bellhand_leads.leads l on l.id = found.lead_id
  where l.merged_into is null
  order by l.id
