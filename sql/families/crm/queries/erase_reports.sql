-- Takes away at most $2 reports made more than $1 days ago: they hold names that may have been erased since.
with erased as (
  delete from bellhand_crm.reports r
    where r.id in (select o.id from bellhand_crm.reports o where o.created_at < bellhand.now() - make_interval(days => $1) order by o.id limit $2)
    returning 1
)
select count(*) as erased from erased
