-- Notes how items of run $1 fared in stage $3, $4 of which are done with it now; guarded by its epoch $2, no row if it has a later one.
select * from bellhand_matching.note_items($1, $2, $3, $4, $5)
