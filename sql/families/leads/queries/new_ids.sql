-- Ids for as many leads as may turn out to be new, $1; those not used are lost, as a sequence's are.
select nextval(pg_get_serial_sequence('bellhand_leads.leads', 'id')) from generate_series(1, $1::integer)
