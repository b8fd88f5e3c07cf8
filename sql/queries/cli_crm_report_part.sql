-- One part of a report, by its place; null after the last.
select body from bellhand_crm.report_parts where report_id = $1 and place = $2
