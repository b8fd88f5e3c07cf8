-- Writes where leads were found: $5 is [{lead_id, position, matched_by, found}] of one page of job $1's search for $2 in $3 at $4.
insert into bellhand_leads.sources (job_id, service, location, source, lead_id, position, matched_by, found)
  select $1, $2, $3, $4, s.lead_id, s.position, s.matched_by, s.found
    from jsonb_to_recordset($5::jsonb) s(lead_id bigint, position integer, matched_by text, found jsonb)
  on conflict (job_id, service, location, source, position) do update
    set lead_id = excluded.lead_id, found = excluded.found, found_at = bellhand.now()
