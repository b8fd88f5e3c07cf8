-- The kinds of lane $1; no row if there is no such lane.
select l.name, array(select k.name from bellhand.kinds k where k.lane = l.id) as kinds from bellhand.lanes l where l.name = $1
