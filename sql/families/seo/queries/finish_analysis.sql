-- Completes analysis $1: pages $2, score $3, details $4, summary $5. No row if a later attempt has taken it away.
update bellhand_seo.analyses
  set state = 'completed', pages = $2, score = $3, details = $4::jsonb, summary = $5::jsonb, finished_at = bellhand.now()
  where id = $1 and state = 'running'
  returning id
