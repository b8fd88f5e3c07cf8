-- Stores the verifier $2 that was learned from $3 reviewed pairs of project $1.
update bellhand_matching.projects set verifier = $2, verifier_pairs = $3, verifier_learned_at = bellhand.now() where id = $1 returning id
