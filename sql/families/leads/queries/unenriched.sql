-- The leads that job $1 found and that no model has judged yet, with the services they were found for.
select l.id, l.name, l.category, l.address, l.website, l.rating, l.reviews, s.services
  from (select lead_id, array_agg(distinct service order by service) as services
          from bellhand_leads.sources where job_id = $1 group by lead_id) s
  join bellhand_leads.leads l on l.id = s.lead_id
  where l.enriched_at is null and not l.excluded
  order by l.id
