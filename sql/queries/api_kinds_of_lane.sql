-- The kinds of lane $1.
select k.name from bellhand.kinds k join bellhand.lanes l on l.id = k.lane where l.name = $1
