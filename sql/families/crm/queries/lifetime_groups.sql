-- How many customers bought alike, at most $1 groups, and the moment it is said of.
select n.as_of, l.repeats, l.last_week, l.age_weeks, count(*) as customers
  from (select bellhand.now() as as_of) n cross join lateral bellhand_crm.lifetimes(n.as_of) l
  group by 1, 2, 3, 4 order by 2, 3, 4 limit $1
