-- The leads $1 (or what they were merged into) as a search for their ads needs them: the location where each was found last, and
-- the services it was found for there.
select asked.id as asked_id, l.id, l.name, l.domain, l.website, l.excluded, place.location, coalesce(words.services, '{}') as services
  from unnest($1::bigint[]) with ordinality asked(id, place)
  join bellhand_leads.leads given on given.id = asked.id
  join bellhand_leads.leads l on l.id = coalesce(given.merged_into, given.id)
  left join lateral (
    select s.location from bellhand_leads.sources s where s.lead_id = l.id order by s.found_at desc limit 1
  ) place on true
  left join lateral (
    select array_agg(distinct s.service order by s.service) as services
      from bellhand_leads.sources s where s.lead_id = l.id and s.location = place.location
  ) words on true
  order by asked.place
