-- Ids of jobs of kinds $1 in the order they run: those that do, the first $2 that wait, the first $2 whose time has not come (of the
-- next 1,000 that have it), those parked, and then the $2 that ended last.
select f.id from (
  select r.id, 1 as part, 0::bigint as place from bellhand.running r join bellhand.jobs j on j.id = r.id and j.epoch = r.epoch where j.kind = any ($1)
  union all
  select h.id, 2, h.place from (select distinct k.lane from bellhand.kinds k where k.name = any ($1)) l cross join lateral (
    select q.id, row_number() over () as place from (
      select x.id from bellhand.queue x where x.lane = l.lane order by x.lane, x.rank, x.xid, x.id limit 1000) q
    join bellhand.jobs j on j.id = q.id where j.kind = any ($1) limit $2) h
  union all
  select h.id, 3, h.place from (
    select s.id, row_number() over () as place from (select x.id from bellhand.scheduled x order by x.run_at, x.id limit 1000) s
    join bellhand.jobs j on j.id = s.id where j.kind = any ($1) limit $2) h
  union all
  (select p.id, 4, p.id from bellhand.parked p where p.kind = any ($1) order by p.kind, p.id limit $2)
  union all
  select h.id, 5, -extract(epoch from h.finished_at)::bigint from unnest($1::text[]) n(name) cross join lateral (
    select x.id, x.finished_at from bellhand.history x where x.kind = n.name order by x.finished_at desc limit $2) h) f
order by f.part, f.place limit $2 * 4
