-- How long runs and steps take that were measured, of kind $1 or all: the whole run first, then its share of one step or item, then its steps
-- by name; of a kind the first 52.
select s.kind, s.step, s.samples, s.p50_seconds, s.p95_seconds from (
  select x.*, row_number() over (partition by x.kind order by x.step in ('', '*') desc, x.step) as place from bellhand.stages x
  where $1::text is null or x.kind = $1) s
where s.place <= 52 order by s.kind, s.place
