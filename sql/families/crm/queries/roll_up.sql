-- Counts at most $2 customers behind $1 anew (roll_up.sql).
select counted, last_customer from bellhand_crm.roll_up($1, $2)
