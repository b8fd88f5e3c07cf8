-- How every service stands, for the gauges: its breaker, whether it asked to wait, what this day and month have used.
select service, breaker, paused_seconds is not null as paused, day_calls, month_calls, day_cost_microdollars, month_cost_microdollars
from bellhand.service_status
