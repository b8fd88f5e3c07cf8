-- Counts what erase_messages.sql, erase_customers.sql and erase_reports.sql would take, and changes nothing.
select (select count(*) from bellhand_crm.messages where begun_at < bellhand.now() - make_interval(days => $1) and address <> '') as messages,
       (select count(*) from bellhand_crm.customers where deleted_at < bellhand.now() - make_interval(days => $1)
          and (name is not null or email is not null)) as customers,
       (select count(*) from bellhand_crm.reports where created_at < bellhand.now() - make_interval(days => $1)) as reports
