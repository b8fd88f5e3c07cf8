-- Moves the claim positions forward; rigorous at any time (see the function).
select lane, rank, xid, id from bellhand.advance_hints($1, $2, $3, $4)
