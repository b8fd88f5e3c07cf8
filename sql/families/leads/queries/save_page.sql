-- Notes that page $5 of a job's search is stored, with its counts, calls, cost and seconds. A page that is read again adds to
-- the calls and counts as new also what was new then.
insert into bellhand_leads.pages as p
    (job_id, service, location, source, page, next_start, leads_found, leads_new, leads_merged, leads_excluded,
     api_calls, cost_microdollars, seconds, last)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
  on conflict (job_id, service, location, source, page) do update
    set next_start = excluded.next_start, leads_found = excluded.leads_found, leads_new = p.leads_new + excluded.leads_new,
        leads_excluded = excluded.leads_excluded, api_calls = p.api_calls + excluded.api_calls,
        cost_microdollars = p.cost_microdollars + excluded.cost_microdollars, seconds = excluded.seconds,
        last = excluded.last, stored_at = bellhand.now(),
        leads_merged = greatest(0, excluded.leads_found - excluded.leads_excluded - p.leads_new - excluded.leads_new)
  returning leads_found, leads_new, leads_merged, leads_excluded, api_calls, cost_microdollars
