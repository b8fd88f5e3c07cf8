-- Measures how long runs of some kinds take; one daemon at a time.
select bellhand.measure_runs()
