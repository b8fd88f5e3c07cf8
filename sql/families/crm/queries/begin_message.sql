-- Asks whether mail $3 of purpose $2 to customer $1 may go out now, and writes it down if so (begin_message.sql).
select verdict, seconds, reason, message_id, message_key, address, at
  from bellhand_crm.begin_message($1, $2, $3, $4, $5, $6, $7, $8)
