-- Hands back what worker $1 holds without knowing it; $2 are the jobs it knows (see the function).
select bellhand.hand_back_unknown($1, $2)
