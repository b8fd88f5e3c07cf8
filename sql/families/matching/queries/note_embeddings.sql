-- Notes what became of the embeddings of run $1; guarded by its epoch $2, no row if it has a later one.
update bellhand_matching.runs set embeddings = $3 where id = $1 and epoch = $2 returning id
