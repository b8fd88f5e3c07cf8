-- Takes addresses and words out of at most $2 mails begun more than $1 days ago. Their rows stay: they are what keeps a mail from going out twice.
-- What another transaction holds is left for the next run.
with erased as (
  update bellhand_crm.messages m set address = '', subject = '', said = 'erased'
    from (select id from bellhand_crm.messages where begun_at < bellhand.now() - make_interval(days => $1) and address <> ''
          order by begun_at limit $2 for update skip locked) old
    where m.id = old.id returning m.id
)
select count(*) as erased from erased
