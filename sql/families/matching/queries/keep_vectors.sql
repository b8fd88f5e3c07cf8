-- Keeps the vectors $3 that model $1 made of texts with the hashes $2, which come in order; who comes second changes nothing.
insert into bellhand_matching.vectors (model, text_hash, vector)
  select $1, t.text_hash, t.vector from unnest($2::bytea[], $3::bytea[]) as t(text_hash, vector)
  on conflict (model, text_hash) do nothing
