-- Proposes matches of run $1 in stage $3 by method $4; guarded by its epoch $2, null if it has a later one.
select bellhand_matching.save_matches($1, $2, $3, $4, $5)
