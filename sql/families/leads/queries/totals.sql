-- What job $1 has found in all its searches, also those that broke off later.
select coalesce(sum(leads_found), 0) as leads_found, coalesce(sum(leads_new), 0) as leads_new,
       coalesce(sum(leads_merged), 0) as leads_merged, coalesce(sum(leads_excluded), 0) as leads_excluded,
       coalesce(sum(api_calls), 0) as api_calls, coalesce(sum(cost_microdollars), 0)::float8 / 1e6 as cost
  from bellhand_leads.pages where job_id = $1
