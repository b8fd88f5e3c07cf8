-- Writes how payment $1 fares: its state, where the customer confirms it, the codes and the words of a refusal. What is paid stays paid.
-- Returns the row, with how long it has been begun, and how long it waits for its customer.
update bellhand_crm.payments set state = $2, action_url = $3, error_code = $4, decline_code = $5, said = left($6, 1000),
    settled_at = case when $2 in ('succeeded', 'declined', 'failed', 'canceled') then bellhand.now() end,
    action_at = case when $2 = 'action' then coalesce(action_at, bellhand.now()) end
  where id = $1 and state <> 'succeeded'
  returning id, extract(epoch from bellhand.now() - begun_at)::float8 as begun_seconds,
    coalesce(extract(epoch from bellhand.now() - action_at), 0)::float8 as action_seconds
