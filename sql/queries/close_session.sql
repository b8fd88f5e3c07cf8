-- Ends the session of digest $1.
delete from bellhand.tokens where digest = $1 and opened_with is not null
