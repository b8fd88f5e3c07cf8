-- The bulk operations, the newest first, those before $1 if given, $2 at most.
select o.id, o.at, o.actor, o.action, o.filter::text as filter, o.arguments::text as arguments, o.reason, o.jobs, o.undo_until, o.undone_at, o.undone_by,
  o.undone, o.undone_at is null and o.undo_until >= bellhand.now() as undoable, bellhand.now() as now
from bellhand.operations o where $1::bigint is null or o.id < $1 order by o.id desc limit $2
