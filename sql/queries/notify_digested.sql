-- Forgets what a digest told, and counts the digest as all the messages its window may have.
with told as (delete from bellhand.notices where digest = $2)
insert into bellhand.notices (target, state, digest) values ($1, 'digest', 0)
