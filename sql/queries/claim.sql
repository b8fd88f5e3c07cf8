-- Claims a batch; the snapshot's oldest running transaction comes with every row (and alone, when nothing was claimed),
-- so that a worker about to sleep knows whether this look was late enough.
select pg_snapshot_xmin(pg_current_snapshot()) as xmin, c.*
from (values (1)) one
left join bellhand.claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) c on true
