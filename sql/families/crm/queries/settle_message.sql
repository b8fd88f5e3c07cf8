-- Writes how mail $1 fared, and with $4 that its address gets no more mail. What was sent is sent, even if the attempt was given up meanwhile.
with settled as (
  update bellhand_crm.messages set state = $2, said = left($3, 1000), settled_at = bellhand.now()
    where id = $1 and state in ('sending', 'unsure') returning address
)
insert into bellhand_crm.suppressions (address, scope, reason)
  select lower(address), 'all', left($3, 500) from settled where $4::boolean
  on conflict (address, scope) do nothing
