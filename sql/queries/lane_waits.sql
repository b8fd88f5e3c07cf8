-- How long attempts of the last $1 seconds had waited, by lane, in the buckets WAITS of stats.py: from the minutes that the workers counted. Sums of
-- columns written out take a tenth of the time that unnesting them takes.
select l.name as lane, array[sum(s.waits[1]), sum(s.waits[2]), sum(s.waits[3]), sum(s.waits[4]), sum(s.waits[5]), sum(s.waits[6]), sum(s.waits[7]),
  sum(s.waits[8]), sum(s.waits[9]), sum(s.waits[10])]::bigint[] as waits
from bellhand.stats s join bellhand.kinds k on k.name = s.kind join bellhand.lanes l on l.id = k.lane
where s.minute between (select bellhand.now() - make_interval(secs => $1)) and (select bellhand.now()) group by l.name
