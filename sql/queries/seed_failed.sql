-- The jobs that failed last, at most $1 of the last 5,000 that went wrong, of kinds like $2 (null: any), newest first.
select h.key, h.kind, h.payload ->> 'business_id' as business_id, h.attempts, h.error, h.created_at, h.finished_at
from (
  select x.* from bellhand.history x where x.state <> 'completed' or x.partial order by x.finished_at desc limit 5000) h
where h.state = 'failed' and ($2::text is null or h.kind like $2) order by h.finished_at desc limit $1
