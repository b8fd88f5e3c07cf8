-- What happened before event $1, the latest first: of type $2, by actor $3; $4 of them at the most, from no more than $5 events;
-- `reached` is where to go on.
with walked as materialized (
  select e.seq, e.at, e.type, e.job, e.kind, e.actor, e.data from bellhand.events e where e.seq < $1 order by e.seq desc limit $5)
select w.seq, w.at, w.type, w.job, w.kind, w.actor, w.data::text as data, r.reached, r.more
from (select min(x.seq) as reached, count(*) >= $5 as more from walked x) r
left join lateral (
  select * from walked y where ($2::text is null or y.type = $2) and ($3::text is null or y.actor = $3) order by y.seq desc limit $4) w on true
