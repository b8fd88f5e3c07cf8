-- The vectors of model $1 that are known of texts with the hashes $2.
select v.text_hash, v.vector from bellhand_matching.vectors v where v.model = $1 and v.text_hash = any ($2::bytea[])
