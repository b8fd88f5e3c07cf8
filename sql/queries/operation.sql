-- Operation $1, with the first hundred jobs that it reached.
select o.id, o.at, o.actor, o.action, o.filter::text as filter, o.arguments::text as arguments, o.reason, o.jobs, o.undo_until, o.undone_at, o.undone_by,
  o.undone, o.undone_at is null and o.undo_until >= bellhand.now() as undoable, bellhand.now() as now,
  array(select j.job from bellhand.operation_jobs j where j.operation = o.id order by j.job limit 100) as job_ids
from bellhand.operations o where o.id = $1
