-- How every outside service stands: its breaker, what it waits for, what this day and month have used.
select s.service, s.breaker, s.retry_seconds, s.last_error, s.paused_reason, s.paused_seconds, s.day_calls, s.day_cost_microdollars, s.month_calls, s.month_cost_microdollars
from bellhand.service_status s order by s.service
