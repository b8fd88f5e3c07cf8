-- The breaker of every service, for the gauges.
select service, breaker from bellhand.service_status
