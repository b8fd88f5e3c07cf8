-- Adds what was spent to run $1, whichever attempt spent it; returns the sum.
update bellhand_matching.runs set dollars = dollars + $2 where id = $1 returning dollars
