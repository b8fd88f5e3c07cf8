-- One customer as a mail needs them, with where they unsubscribe and who writes.
select c.id, coalesce(c.name, '') as name, replace(p.unsubscribe_url, '{token}', c.unsubscribe_token::text) as unsubscribe_url,
       coalesce(p.postal_address, '') as postal_address
  from bellhand_crm.customers c cross join bellhand_crm.policy p where c.id = $1
