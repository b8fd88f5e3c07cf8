-- How many channels are well, fail and are disabled, for the gauges.
select count(*) filter (where c.disabled_at is null and c.failing_since is null) as ok,
  count(*) filter (where c.disabled_at is null and c.failing_since is not null) as failing,
  count(*) filter (where c.disabled_at is not null) as disabled
from bellhand.channels c
