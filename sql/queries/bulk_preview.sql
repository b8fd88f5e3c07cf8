-- What action $2 with arguments $3 would reach of the jobs that filter $1 names; nothing happens.
select p.jobs, p.more, p.kinds::text as kinds, p.states::text as states, p.examples, p.steps_done, p.steps_total, p.dependents, p.adds_seconds, p.undo_seconds
from bellhand.bulk_preview($1::text::jsonb, $2, $3::text::jsonb) p
