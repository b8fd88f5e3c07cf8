-- The kinds that are paused, and why: few rows of a small table.
select k.name as kind, k.paused, k.paused_reason from bellhand.kinds k where k.paused order by k.name
