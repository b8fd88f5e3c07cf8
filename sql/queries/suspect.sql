-- Writes down that worker $1 is about to run job $2, which is blamed alone should the worker die.
update bellhand.workers set suspect = $2 where id = $1
