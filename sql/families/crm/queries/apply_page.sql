-- Takes in page $2 of pass $1 (apply_page.sql).
select verdict, reason, (sync).* from bellhand_crm.apply_page($1, $2, $3::jsonb, $4::jsonb, $5, $6)
