-- When job $1 starts and finishes, as far as that can be foretold; no row for one that is over.
select e.ahead, e.starts_low, e.starts_at, e.starts_high, e.finishes_low, e.finishes_at, e.finishes_high, e.basis, e.confidence, e.reason, bellhand.now() as now
from bellhand.eta($1) e
