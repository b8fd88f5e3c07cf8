-- Lets one transaction at a time decide which record is which lead; ends with it. Two jobs that find one business at once
-- thus agree on one lead. A page of results holds it for some milliseconds, where its search took seconds.
select pg_advisory_xact_lock(hashtextextended('bellhand_leads.merge', 0))
