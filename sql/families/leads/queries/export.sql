-- The leads that job $1 found (null: all), seen since $2 (null: ever), excluded as $3 says (null: both), with $4 in name, domain, address
-- or category (null: all; as page_leads.sql looks for it), with where they were found and what is known of their websites; one row a lead,
-- the oldest first.
select l.id, l.name, l.phone, l.phone_shown, l.website, l.domain, l.listing, l.address, l.country, l.category, l.rating, l.reviews,
       l.latitude, l.longitude, l.place_id, l.ai_category, l.fit_score, l.summary, l.excluded,
       ads.runs_ads, site.website_status, site.emails, site.socials, found.services, found.locations, found.sources,
       l.first_seen_at, l.last_seen_at
  from bellhand_leads.leads l
  cross join lateral (
    select array_agg(distinct s.service order by s.service) as services, array_agg(distinct s.location order by s.location) as locations,
           array_agg(distinct s.source order by s.source) as sources
      from bellhand_leads.sources s where s.lead_id = l.id
  ) found
  left join lateral (
    select c.runs_ads from bellhand_leads.ads_checks c where c.lead_id = l.id order by c.checked_at desc limit 1
  ) ads on true
  left join lateral bellhand_leads.site_of(l.business_id) site on true
  where l.merged_into is null
    and ($1::bigint is null or exists (select from bellhand_leads.sources s where s.lead_id = l.id and s.job_id = $1))
    and ($2::timestamptz is null or l.last_seen_at >= $2)
    and ($3::boolean is null or l.excluded = $3)
    and ($4::text is null or strpos(lower(concat_ws(' ', l.name, l.domain, l.address, l.category)), lower($4)) > 0)
  order by l.id
