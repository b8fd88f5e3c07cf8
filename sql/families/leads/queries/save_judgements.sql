-- Writes what a model said of leads: $1 is [{id, category, fit_score, summary}].
update bellhand_leads.leads l
  set ai_category = nullif(j.category, ''), fit_score = j.fit_score, summary = nullif(j.summary, ''), enriched_at = bellhand.now()
  from jsonb_to_recordset($1::jsonb) j(id bigint, category text, fit_score smallint, summary text)
  where l.id = j.id
