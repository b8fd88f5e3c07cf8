-- Leads by the newest, before id $1 if given, with $2 in name, domain or address, excluded ones only where $3; $4 of them, of which at
-- most $5 are looked at.
select l.id, l.name, l.phone_shown, l.phone, l.website, l.domain, l.address, l.country, l.category, l.rating, l.reviews, l.latitude, l.longitude, l.fit_score,
  l.excluded, l.found_by, l.last_seen_at
from (select * from bellhand_leads.leads x where x.merged_into is null and ($1::bigint is null or x.id < $1) order by x.id desc limit $5) l
where (l.excluded = $3::boolean)
  and ($2::text is null or strpos(lower(concat_ws(' ', l.name, l.domain, l.address, l.category)), lower($2)) > 0)
order by l.id desc limit $4
