-- When something failed last, whatever it was.
select max(f.last_at) as last_at from bellhand.failures f
