-- Ends pass $1 (finish_sync.sql).
select verdict, reason, (sync).* from bellhand_crm.finish_sync($1)
