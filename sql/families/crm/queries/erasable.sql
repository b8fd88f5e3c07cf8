-- Counts what erase_messages.sql, erase_customers.sql, erase_reports.sql and erase_syncs.sql would take, and changes nothing.
select (select count(*) from bellhand_crm.messages where begun_at < bellhand.now() - make_interval(days => $1) and address <> '') as messages,
       (select count(*) from bellhand_crm.customers where deleted_at < bellhand.now() - make_interval(days => $1)
          and (name is not null or email is not null)) as customers,
       (select count(*) from bellhand_crm.reports where created_at < bellhand.now() - make_interval(days => $1)) as reports,
       (select count(*) from bellhand_crm.syncs s where ended_at < bellhand.now() - make_interval(days => $1)
          and exists (select from bellhand_crm.syncs later where later.source = s.source and later.id > s.id)) as syncs
