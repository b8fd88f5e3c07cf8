-- The pages that job $1 has stored of its search for $2 in $3 in source $4, in order.
select page, last, next_start, leads_found, leads_new, leads_merged, leads_excluded, api_calls, cost_microdollars
  from bellhand_leads.pages where job_id = $1 and service = $2 and location = $3 and source = $4 order by page
