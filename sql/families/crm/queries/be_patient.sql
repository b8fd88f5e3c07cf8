-- Gives the statements of this transaction $1 of time each, as in 90s.
select set_config('statement_timeout', $1, true)
