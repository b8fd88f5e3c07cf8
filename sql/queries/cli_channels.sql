-- The channels as they stand, with who is told there of what.
select s.*, bellhand.now() as now,
  array(select format('%s of %s', array_to_string(b.states, ', '), b.kinds) from bellhand.subscriptions b where b.channel = s.name order by b.name) as told
from bellhand.channel_status s order by s.name
