-- What a digest tells: counts by kind and end with the newest error of each, most frequent first.
select n.kind, n.state, count(*) as jobs, (array_agg(n.job order by n.id desc))[1:3] as newest,
  (array_agg(n.error order by n.id desc) filter (where n.error is not null))[1] as error, min(n.at) as first_at, max(n.at) as last_at
from bellhand.notices n where n.digest = $1 group by n.kind, n.state order by count(*) desc, n.kind, n.state
