-- Puts what waits for a digest into this one (job $2); a retry takes what has come since along.
update bellhand.notices set digest = $2 where target = $1 and digest is null
