-- Writes one look at whether a business runs ads, with its evidence $10; a step that runs again writes over what it wrote before.
with look as (
  insert into bellhand_leads.ads_checks as c (job_id, step, lead_id, name, domain, location, queries, runs_ads, ads_seen)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    on conflict (job_id, step) do update
      set queries = excluded.queries, runs_ads = excluded.runs_ads, ads_seen = excluded.ads_seen, checked_at = bellhand.now()
    returning id
), proofs as (
  select ordinality::integer as place, p.*
    from rows from (jsonb_to_recordset($10::jsonb) as (query text, title text, link text, domain text, advertiser text,
                    "position" integer, block text, matched_by text)) with ordinality
      as p(query, title, link, domain, advertiser, "position", block, matched_by, ordinality)
), gone as (
  delete from bellhand_leads.ads_evidence e using look
    where e.check_id = look.id and e.place > (select count(*) from proofs)
), kept as (
  insert into bellhand_leads.ads_evidence as e (check_id, place, query, title, link, domain, advertiser, position, block, matched_by)
    select look.id, p.place, p.query, p.title, p.link, p.domain, p.advertiser, p.position, p.block, p.matched_by
      from look cross join proofs p
    on conflict (check_id, place) do update
      set query = excluded.query, title = excluded.title, link = excluded.link, domain = excluded.domain,
          advertiser = excluded.advertiser, position = excluded.position, block = excluded.block, matched_by = excluded.matched_by
)
select id from look
