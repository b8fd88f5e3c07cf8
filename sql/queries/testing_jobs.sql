-- Every job of kind $1 (null: of any), or job $2 alone, in the order they were enqueued.
select id, kind, payload::text as payload, state, partial, attempts, result::text as result, error, progress::text as progress
from bellhand.all_jobs where ($1::text is null or kind = $1) and ($2::bigint is null or id = $2) order by id
