-- The names of the kinds there are.
select k.name from bellhand.kinds k order by k.name
