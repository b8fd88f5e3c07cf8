-- The list of exclusions.
select id, field, pattern from bellhand_leads.exclusions order by id
