-- Begins or goes on with a pass over source $1 for job $2 (begin_sync.sql).
select verdict, reason, (sync).id, (sync).pages, (sync).cursor, (sync).read_all, (source).* from bellhand_crm.begin_sync($1, $2)
