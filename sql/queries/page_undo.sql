-- Undoes operation $1 where nothing touched its jobs since, as actor $2; the function takes the row locks.
select u.undone, u.kept from (select set_config('bellhand.actor', $2, true) offset 0) who cross join lateral bellhand.undo($1) u
