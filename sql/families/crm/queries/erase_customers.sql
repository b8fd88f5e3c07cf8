-- Takes name and address out of at most $2 customers deleted more than $1 days ago, and what a source said of them; their rows stay for what refers to them, and suppressions
-- stay, or others would write to the address again. What another transaction holds is left for the next run.
with erased as (
  update bellhand_crm.customers c set name = null, email = null
    from (select id from bellhand_crm.customers where deleted_at < bellhand.now() - make_interval(days => $1)
            and (name is not null or email is not null)
          order by deleted_at limit $2 for update skip locked) old
    where c.id = old.id returning c.id
), forgotten as (
  update bellhand_crm.synced_customers l set said = '{}' from erased where l.customer_id = erased.id
)
select count(*) as erased from erased
