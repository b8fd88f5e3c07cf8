-- Ends pass $1, which cannot go on because of $2; another attempt begins a new one.
update bellhand_crm.syncs set state = 'failed', error = left($2, 1000), ended_at = bellhand.now() where id = $1 and state = 'running'
  returning id
