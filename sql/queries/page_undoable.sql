-- Whether undoing operation $1 would bring something back: not what ran when it was cancelled, nor what others fell with.
select exists (select from bellhand.operation_jobs w join bellhand.operations o on o.id = w.operation
  where w.operation = $1 and (o.action <> 'cancel' or (w.was ->> 'state' <> 'running' and not (w.was ->> 'parent')::boolean))) as undoable
