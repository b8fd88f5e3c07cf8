-- The pairs that share an identifier in run $1.
select source, target, confidence, evidence::text as evidence from bellhand_matching.identifier_pairs($1)
