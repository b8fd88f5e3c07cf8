-- Hands back what worker $1 holds without knowing it, and names what it runs ($2 at epochs $3) that is no longer its own;
-- $4 are the leases that it knows (see the function).
select handed_back, lost, generation from bellhand.hand_back_unknown($1, $2, $3, $4)
