-- Counts what erase_messages.sql and erase_customers.sql would empty, and changes nothing.
select (select count(*) from bellhand_crm.messages where begun_at < bellhand.now() - make_interval(days => $1) and address <> '') as messages,
       (select count(*) from bellhand_crm.customers where deleted_at < bellhand.now() - make_interval(days => $1)
          and (name is not null or email is not null)) as customers
