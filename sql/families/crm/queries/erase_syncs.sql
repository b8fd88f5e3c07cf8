-- Takes away at most $2 passes over sources that ended more than $1 days ago, with the bad rows that they met; the last of each source stays.
with erased as (
  delete from bellhand_crm.syncs s
    where s.id in (select o.id from bellhand_crm.syncs o where o.ended_at < bellhand.now() - make_interval(days => $1)
                     and exists (select from bellhand_crm.syncs later where later.source = o.source and later.id > o.id)
                   order by o.id limit $2)
    returning 1
)
select count(*) as erased from erased
