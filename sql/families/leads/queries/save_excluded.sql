-- Writes whether leads are excluded, $1: [{id, excluded, exclusion}]; guarded by lock_leads.
update bellhand_leads.leads l set excluded = c.excluded, exclusion = c.exclusion
  from jsonb_to_recordset($1::jsonb) c(id bigint, excluded boolean, exclusion bigint)
  where l.id = c.id
