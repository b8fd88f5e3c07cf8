-- What a bulk action $2 would reach of filter $1; nothing happens.
select p.jobs, p.more, p.kinds::text as kinds, p.states::text as states, p.examples, p.steps_done, p.dependents, p.adds_seconds, p.undo_seconds
from bellhand.bulk_preview($1::text::jsonb, $2) p
