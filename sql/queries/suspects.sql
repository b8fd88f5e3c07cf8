-- Writes down that worker $1 runs job $2 alone, to be blamed alone should the worker die, while jobs $3 wait for their turn.
update bellhand.workers set suspect = $2, waiting = $3 where id = $1
