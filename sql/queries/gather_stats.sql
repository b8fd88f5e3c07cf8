-- Adds up the minutes that several workers counted; whether more are left.
select bellhand.gather_stats()
