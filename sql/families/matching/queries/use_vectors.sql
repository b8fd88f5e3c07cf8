-- Which texts with the hashes $2 have a vector of model $1, noting that they are in use; a row that another run notes is passed by.
with known as (
  select v.text_hash, v.used_at from bellhand_matching.vectors v where v.model = $1 and v.text_hash = any ($2::bytea[])),
stale as (
  select v.text_hash from bellhand_matching.vectors v
    where v.model = $1 and v.text_hash in (select k.text_hash from known k where k.used_at < bellhand.now() - interval '1 day')
    for no key update skip locked),
noted as (
  update bellhand_matching.vectors v set used_at = bellhand.now()
    from stale s where v.model = $1 and v.text_hash = s.text_hash)
select text_hash from known
