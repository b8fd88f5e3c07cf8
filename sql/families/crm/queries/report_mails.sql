-- Mails of the last $1 days by purpose and state.
select purpose, state, count(*) as mails from bellhand_crm.messages
  where begun_at >= bellhand.now() - make_interval(days => $1) group by purpose, state
