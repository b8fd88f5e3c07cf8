-- The subscriptions: who is told of what.
select s.name, s.channel, s.states as "on", s.kinds, s.late_seconds, s.source from bellhand.subscriptions s order by s.name
