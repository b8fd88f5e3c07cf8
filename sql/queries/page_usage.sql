-- What each kind used of each outside service, today and in the six days before; a few rows.
select u.service, u.kind, u.today, u.calls, u.failures, u.units_in, u.units_out, u.cost_microdollars, u.unpriced_calls from bellhand.usage_recent u
