-- Puts what failed since the last look into groups, 2,000 at most; whether more is left.
select bellhand.group_failures(2000) = 2000
