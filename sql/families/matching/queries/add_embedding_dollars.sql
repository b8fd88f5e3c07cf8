-- Adds what run $1 spent on embedding, whichever attempt spent it; returns the sum.
update bellhand_matching.runs set embedding_dollars = embedding_dollars + $2 where id = $1 returning embedding_dollars
