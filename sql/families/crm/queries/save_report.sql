-- Keeps a report (save_report.sql).
select bellhand_crm.save_report($1, $2, $3, $4)
